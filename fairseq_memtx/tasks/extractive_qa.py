"""Extractive question answering: point at the part of a long document that answers a question.

Data flow: `read_questions` reads SQuAD's or HotpotQA's JSON, `cut` makes rows of it, windows where
a document is too long for one. Training learns from window by window, with the criterion
``extractive_qa``. In validation a batch is made of whole questions: the best span of all windows is
the answer, which is scored there and then, so that sums over batches and workers are right.
"""

import logging
from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import torch
from fairseq import metrics
from fairseq.criterions import FairseqCriterion
from fairseq.data import Dictionary, encoders
from fairseq.dataclass import FairseqDataclass
from fairseq.distributed import utils as distributed_utils
from fairseq.models import BaseFairseqModel
from fairseq.tasks import register_task
from omegaconf import II, MISSING
from torch import Tensor

from ..data.folder_pieces import FITTING, misfit, record_of
from ..data.questions.dataset import QuestionDataset
from ..data.questions.metrics import METRICS
from ..data.questions.reading import read_questions
from ..data.questions.spans import Answer, AnswersFile, best_answers
from ..data.questions.windows import FRAME, TextEncoder, WindowedQuestion, cut
from ..data.text_encoders import used
from ..errors import MemtxError
from ..flags.flag import flag
from ..flags.ignored_flags import Ignored
from ..text.folder import FolderText, is_lowercase
from .token_task import TokenTask

logger = logging.getLogger(__name__)


@dataclass
class ExtractiveQaConfig(FairseqDataclass):
    """Where the questions are, how they are cut, and which answers are possible."""

    data: str = flag(
        MISSING,
        "folder with dict.txt, train.json, valid.json and, if wanted, test.json in the format of "
        "SQuAD 1.1 or 2.0 or of HotpotQA",
    )
    max_positions: int = flag(512, "positions of a model: longest row of question and context")
    stride: int = flag(
        0,
        "tokens by which a window moves on where a context does not fit into one (default: half a "
        "window)",
    )
    max_question_length: int = flag(64, "tokens after which a question is cut off")
    max_answer_length: int = flag(30, "tokens of an answer, at most")
    n_best: int = flag(20, "answers to a question in --n-best-file")
    n_best_file: Optional[str] = flag(
        None,
        "write the best answers of validation to this JSON file; with several workers the others "
        "put their number after its name",
    )
    # Not called bpe: fairseq would put the name of --bpe there in place of all its settings.
    bpe_settings: Any = field(default=II("bpe"))


@register_task("extractive_qa", dataclass=ExtractiveQaConfig)
class ExtractiveQaTask(TokenTask):
    """Train a reader and count its right answers.

    Pieces of words are made by ``bpe`` of fairseq, or as the ``record`` of the model's folder says.
    """

    ignored_flags = (
        Ignored(
            "n_best",
            "it belongs to --n-best-file, which is not given",
            when=lambda cfg: not cfg.n_best_file,
        ),
    )
    least = dict.fromkeys(("max_question_length", "max_answer_length", "n_best"), 1)
    token_head_name = "span"
    criterion_name = "extractive_qa"

    def __init__(
        self,
        cfg: ExtractiveQaConfig,
        dictionary: Dictionary,
        bpe: Any,
        record: Optional[FolderText] = None,
    ) -> None:
        check(cfg)
        super().__init__(cfg, dictionary, scores=2)  # of beginning and end
        lowercase = record is None and is_lowercase(dictionary.symbols[dictionary.nspecial :])
        with used("--bpe"):
            self.encode = TextEncoder(dictionary, bpe, record, lowercase)
        if record is not None:
            logger.info(f"text is cut as that in {record.folder}")
        if self.encode.lowercase:
            logger.info("text is lower-cased, as the model's is")
        self.answers_file = (
            AnswersFile(path_of_worker(cfg.n_best_file)) if cfg.n_best_file else None
        )

    @classmethod
    def setup_task(cls, cfg: ExtractiveQaConfig, **kwargs: Any) -> "ExtractiveQaTask":
        """Read the dictionary and the rules of ``--bpe``."""
        file = Path(cfg.data) / "dict.txt"
        if not file.exists():
            raise MemtxError(
                f"there is no dictionary {file}: put the one of the model to be fine-tuned there, "
                "or one of fairseq-preprocess --only-source, beside train.json and valid.json"
            )
        dictionary = Dictionary.load(str(file))
        # As fairseq's masked_lm has it, so that a model trained there fits.
        dictionary.add_symbol("<mask>")
        bpe = encoders.build_bpe(cfg.bpe_settings)
        return cls(cfg, dictionary, bpe, record_of_model(cfg))

    def load_dataset(self, split: str, **kwargs: Any) -> None:
        """Read and cut the questions of a split.

        Refused are a file with something wrong, or nothing to learn from, and an ``--n-best-file``
        that cannot be written.
        """
        training = split.startswith("train")
        if self.answers_file is not None and not training:
            self.answers_file.check()  # before hours of training
        file = Path(self.cfg.data) / f"{split}.json"
        questions = read_questions(file)
        found = [q for q in questions if q.span is not None or q.may_be_unanswerable]
        if training and not found:
            raise MemtxError(
                f"no question of {file} has its answer in the context: give some that have"
            )
        kept = found if training else questions
        lengths = self.cfg.max_positions, self.cfg.max_question_length, self.cfg.stride
        windowed = list(cut(kept, self.encode, *lengths))
        dataset = QuestionDataset(windowed, self.dictionary, whole=not training)
        unknown = self._unknown(windowed)
        self.tell_unknown(split, unknown)
        logger.info(
            f"{split}: {len(questions)} questions, {len(questions) - len(found)} of them without "
            f"the answer in the context{' and left out' if training else ''}; "
            f"{dataset.rows.sum()} windows; {unknown:.2%} unknown tokens"
        )
        self.datasets[split] = dataset

    def _unknown(self, questions: List[WindowedQuestion]) -> float:
        """Share of the questions' and contexts' tokens that the dictionary does not have."""
        texts = [pieces for q in questions for pieces in (q.asked, q.context.pieces)]
        unknown = sum(int((pieces == self.dictionary.unk()).sum()) for pieces in texts)
        return unknown / max(sum(map(len, texts)), 1)

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


def record_of_model(cfg: ExtractiveQaConfig) -> Optional[FolderText]:
    """How the text was cut that the model knows, by the folder of its dictionary or its BPE.

    Another kind of ``--bpe``, and a folder without words, are refused.
    """
    record = record_of(Namespace(cfg=cfg), cfg.bpe_settings)
    if record is None:
        return None
    if record.unit in ("characters", "bytes"):
        raise MemtxError(
            f"the text in {record.folder} was cut into {record.unit}, and answers are made of "
            "words: use a model of words or pieces"
        )
    bpe = getattr(cfg.bpe_settings, "_name", None)
    known = FITTING[record.unit]
    if bpe not in (None, known) or (bpe is None and record.unit == "gpt2"):
        raise misfit(bpe, record)
    return record


def check(cfg: ExtractiveQaConfig) -> None:
    """Refuse lengths that do not fit each other."""
    window = cfg.max_positions - cfg.max_question_length - FRAME
    if window < 1:
        raise MemtxError(
            f"--max-positions {cfg.max_positions} leaves a context no room beside a question of "
            f"--max-question-length {cfg.max_question_length}: raise the former or lower the latter"
        )
    if not 0 <= cfg.stride <= window:
        raise MemtxError(
            f"--stride {cfg.stride} would leave out text between windows of {window} tokens, what "
            f"the longest question leaves of --max-positions: use 1 to {window}"
        )


def path_of_worker(name: str) -> Path:
    """The file of this worker: its own, for those after the first."""
    rank = distributed_utils.get_global_rank()
    return Path(f"{name}.{rank}" if rank else name)
