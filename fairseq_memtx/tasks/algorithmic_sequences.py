"""Copy, reverse, associative retrieval and quadratic equations as language models, without files.

Data flow: `AlgorithmDataset` makes rows from their numbers; here they become fairseq's symbols and
batches whose targets outside the answer are padding, which no loss counts. A model with segments
cuts the rows itself (``--segments`` of the task) and begins each with an empty memory, so that any
language model of fairseq can be trained beside it. Validation lets the model write the answer on
its own and compares.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Dict, List, Optional, Tuple

import torch
from fairseq import metrics
from fairseq.criterions import FairseqCriterion
from fairseq.dataclass import FairseqDataclass
from fairseq.models import BaseFairseqModel, FairseqLanguageModel
from fairseq.tasks import register_task
from omegaconf import II
from torch import Tensor

from ..data.algorithms import AlgorithmDataset, make, sizes_of
from ..data.algorithms.answers import AnswerDataset
from ..data.facts.vocabulary import dictionary_of
from ..errors import MemtxError
from ..flags.flag import flag
from ..flags.ignored_flags import NO_POSITIONS, Ignored
from .drawn_sets import DrawnLanguageTask


@dataclass
class AlgorithmicSequencesConfig(FairseqDataclass):
    """Which algorithm, at what size, and how it is cut."""

    algorithm: str = flag("copy", "copy, reverse, associative-retrieval or quadratic-equations")
    sequence_length: int = flag(8, "n: symbols to copy or to reverse")
    alphabet_size: int = flag(10, "different symbols")
    pairs: int = flag(4, "pairs of key and value")
    segments: int = flag(1, "equal segments of a row, as far as it can be divided")
    train_size: int = flag(100000, "examples of an epoch")
    valid_size: int = flag(1600, "examples for validation")
    test_size: int = flag(1600, "examples for testing")
    tokens_per_sample: int = flag(0, "length of a segment (default: row / --segments)")
    max_target_positions: Optional[int] = flag(
        None, "positions that a model has (default: a whole row)"
    )
    add_bos_token: bool = flag(False, "not used")
    seed: int = II("common.seed")


def _unless(size: str, flag: str, because: str) -> Ignored:
    """A flag that means nothing to an algorithm without such a size."""
    return Ignored(flag, because, when=lambda cfg: size not in sizes_of(cfg.algorithm))


@register_task("algorithmic_sequences", dataclass=AlgorithmicSequencesConfig)
class AlgorithmicSequencesTask(DrawnLanguageTask):
    """Train a language model on an algorithm and count what it gets right (RMT, section 4.1)."""

    ignored_flags = (
        Ignored("add_bos_token", "the rows have a beginning of their own"),
        Ignored(
            "segments",
            "--tokens-per-sample says already how long a segment is",
            when=lambda cfg: cfg.tokens_per_sample,
        ),
        _unless("length", "sequence_length", "--algorithm copy and reverse alone have it"),
        _unless("alphabet", "alphabet_size", "this --algorithm has symbols of its own"),
        _unless("pairs", "pairs", "--algorithm associative-retrieval alone has pairs"),
        NO_POSITIONS,
    )
    least: ClassVar[Dict[str, int]] = {"tokens_per_sample": 0}  # which is found by --segments

    def __init__(self, cfg: AlgorithmicSequencesConfig, from_checkpoint: bool = False) -> None:
        super().__init__(cfg)
        self.algorithm = make(cfg.algorithm, cfg.sequence_length, cfg.alphabet_size, cfg.pairs)
        length = self.algorithm.source_length
        if not 1 <= cfg.segments <= length:
            raise MemtxError(
                f"--segments {cfg.segments} is impossible: a row has {length} tokens, use 1 to "
                f"{length}"
            )
        self.dictionary = dictionary_of(list(map(str, range(self.algorithm.vocabulary_size))))

    def build_model(self, cfg: Any, from_checkpoint: bool = False) -> BaseFairseqModel:
        """Build a model for rows of this length; one with segments learns where to cut."""
        length = self.algorithm.source_length
        cfg.tokens_per_sample = self.cfg.tokens_per_sample or -(-length // self.cfg.segments)
        cfg.max_target_positions = self.cfg.max_target_positions or length
        return super().build_model(cfg, from_checkpoint)

    def load_dataset(self, split: str, epoch: int = 1, **kwargs: Any) -> None:
        """Make a set; training draws new examples in every epoch."""
        examples = AlgorithmDataset(self.algorithm, self.size_of(split), self.cfg.seed, split)
        examples.set_epoch(epoch)
        self.datasets[split] = AnswerDataset(examples, self.dictionary)

    def valid_step(
        self, sample: Dict[str, Any], model: BaseFairseqModel, criterion: FairseqCriterion
    ) -> Tuple[Tensor, int, Dict[str, Any]]:
        """Loss, and accuracy of the answer that the model writes on its own."""
        loss, sample_size, logging_output = super().valid_step(sample, model, criterion)
        answer = sample["target"][:, -self.algorithm.answer_length :]
        with torch.no_grad():
            right = self.write_answer(model, sample["net_input"]["src_tokens"]).eq(answer)
        logging_output.update(right_tokens=int(right.sum()), answer_tokens=right.numel())
        logging_output.update(right_answers=int(right.all(dim=1).sum()), answers=len(right))
        return loss, sample_size, logging_output

    def write_answer(self, model: FairseqLanguageModel, source: Tensor) -> Tensor:
        """The likeliest answer, symbol by symbol, ``B x answer``.

        Args:
            model: a language model of fairseq.
            source: ``B x L``, of which only the question is read.
        """
        length = self.algorithm.answer_length
        tokens = source[:, : source.size(1) - length + 1]
        incremental_state: Dict[str, Any] = {}
        for end in range(1, source.size(1) + 1):
            logits = model.decoder(tokens[:, :end], incremental_state=incremental_state)[0]
            if end == tokens.size(1):
                tokens = torch.cat([tokens, logits[:, -1:].argmax(dim=-1)], dim=1)
        return tokens[:, -length:]

    def reduce_metrics(
        self, logging_outputs: List[Dict[str, Any]], criterion: FairseqCriterion
    ) -> None:
        """Add ``accuracy`` (of symbols) and ``exact_match`` (of answers), both 0 to 1."""
        super().reduce_metrics(logging_outputs, criterion)
        for metric, part, whole in (
            ("accuracy", "right_tokens", "answer_tokens"),
            ("exact_match", "right_answers", "answers"),
        ):
            right, count = (
                sum(log.get(name, 0) for log in logging_outputs) for name in (part, whole)
            )
            if count:
                metrics.log_scalar(metric, right / count, count, round=4)

    def max_positions(self) -> int:
        """Length of a row."""
        return self.algorithm.source_length
