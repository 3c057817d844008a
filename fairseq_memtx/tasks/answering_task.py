"""What tasks have in common in which a model points at the part of a document that is the answer.

Training learns from window by window, with the criterion ``extractive_qa``. In validation a batch
is made of whole questions: the best span of all windows is the answer, which is scored there and
then, so that sums over batches and workers are right.
"""

from pathlib import Path
from typing import Any, ClassVar, Dict, List, Tuple

import torch
from fairseq import metrics
from fairseq.criterions import FairseqCriterion
from fairseq.data import Dictionary
from fairseq.distributed import utils as distributed_utils
from fairseq.models import BaseFairseqModel
from torch import Tensor

from ..data.questions.spans import Answer, AnswersFile, best_answers
from ..data.questions.windows import WindowedQuestion
from ..flags.ignored_flags import Ignored
from ..text.questions.metrics import METRICS
from .token_task import TokenTask


class AnsweringTask(TokenTask):
    """Counts right answers; ``cfg`` has ``max_answer_length``, ``n_best`` and ``n_best_file``."""

    ignored_flags = (
        Ignored(
            "n_best",
            "it belongs to --n-best-file, which is not given",
            when=lambda cfg: not cfg.n_best_file,
        ),
    )
    least: ClassVar[Dict[str, int]] = dict.fromkeys(("max_answer_length", "n_best"), 1)
    token_head_name = "span"
    criterion_name = "extractive_qa"

    def __init__(self, cfg: Any, dictionary: Dictionary) -> None:
        super().__init__(cfg, dictionary, scores=2)  # of beginning and end
        self.answers_file = (
            AnswersFile(path_of_worker(cfg.n_best_file)) if cfg.n_best_file else None
        )

    def begin_valid_epoch(self, epoch: int, model: BaseFairseqModel) -> None:
        """Begin the n-best file anew."""
        if self.answers_file is not None:
            self.answers_file.begin()

    def valid_step(
        self, sample: Dict[str, Any], model: BaseFairseqModel, criterion: FairseqCriterion
    ) -> Tuple[Tensor, int, Dict[str, Any]]:
        """Loss and, for a batch of whole questions, how right the answers are."""
        model.eval()
        with torch.no_grad():
            log_probabilities = criterion.log_probabilities(model, sample)
            loss, sample_size, log = criterion.loss(log_probabilities, sample)
        # The batch that fairseq gives an idle worker is one of training, without whole questions,
        # but its log has to have the same entries as that of the others.
        log.update(dict.fromkeys(("questions", "exact_match", "f1"), 0.0))
        if "questions" in sample:
            log.update(self._answer(sample["questions"], log_probabilities.cpu()))
        return loss, sample_size, log

    def _answer(
        self, questions: List[WindowedQuestion], log_probabilities: Tensor
    ) -> Dict[str, float]:
        """Sums of the scores of a batch's best answers; probabilities are ``2 x B x L``."""
        answers: Dict[str, List[Answer]] = {}
        exact_match = f1 = 0.0
        rows = log_probabilities.split([len(q.windows) for q in questions], dim=1)
        for asked, of_question in zip(questions, rows):
            best = best_answers(asked, of_question, self.cfg.max_answer_length, self.cfg.n_best)
            answers[asked.question.name] = best
            said = best[0].text if best else ""
            score = METRICS[asked.question.metric](said, asked.question.answers)
            exact_match += score.exact_match
            f1 += score.f1
        if self.answers_file is not None:
            self.answers_file.add(answers)
        return {"questions": len(questions), "exact_match": exact_match, "f1": f1}

    def reduce_metrics(
        self, logging_outputs: List[Dict[str, Any]], criterion: FairseqCriterion
    ) -> None:
        """Add ``exact_match`` and ``f1``, both 0 to 100."""
        super().reduce_metrics(logging_outputs, criterion)
        questions = sum(log.get("questions", 0) for log in logging_outputs)
        if questions:
            for name in ("exact_match", "f1"):
                total = sum(log.get(name, 0) for log in logging_outputs)
                metrics.log_scalar(name, 100 * total / questions, questions, round=2)


def path_of_worker(name: str) -> Path:
    """The file of this worker: its own, for those after the first."""
    rank = distributed_utils.get_global_rank()
    return Path(f"{name}.{rank}" if rank else name)
