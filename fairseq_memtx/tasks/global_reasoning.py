"""Majority tagging and signed sums, without files, beside the best score without memory.

Data flow: `GlobalReasoningDataset` draws sequences; here they become rows of a tagging task. Where
the model's attention is cut into chunks, validation logs ``best_without_memory``: the accuracy that
no model can beat in the long run whose tokens see their own chunk alone.
"""

from dataclasses import dataclass
from typing import Any, Optional

from fairseq.dataclass import FairseqDataclass
from fairseq.tasks import register_task
from omegaconf import II

from ..data.facts.vocabulary import dictionary_of
from ..data.global_reasoning.dataset import DrawnRows, GlobalReasoningDataset
from ..data.global_reasoning.majority_tagging import MajorityTagging
from ..data.global_reasoning.reasoning import GlobalReasoning
from ..data.global_reasoning.signed_sum import SignedSum
from ..errors import MemtxError
from ..flags.flag import flag
from .bound_task import BoundTask
from .drawn_sets import DrawnSetsTask
from .sequence_tagging import TaggingTask


@dataclass
class GlobalReasoningConfig(FairseqDataclass):
    """Sizes that both tasks have."""

    sequence_length: int = flag(1024, "L: tokens of a sequence, <s> and </s> not counted")
    train_size: int = flag(10000, "examples of an epoch")
    valid_size: int = flag(500, "examples for validation")
    test_size: int = flag(500, "examples for testing")
    max_positions: Optional[int] = flag(
        None, "positions that a model has (default: a whole row, L + 2)"
    )
    seed: int = II("common.seed")


class GlobalReasoningTask(BoundTask, DrawnSetsTask, TaggingTask):
    """What both tasks have in common."""

    def __init__(self, cfg: GlobalReasoningConfig, reasoning: GlobalReasoning) -> None:
        super().__init__(cfg, *map(dictionary_of, (reasoning.symbols, reasoning.labels)))
        self.reasoning, self.bound = reasoning, reasoning.best_without_memory
        row = reasoning.length + 2
        if self.max_positions() < row:
            raise MemtxError(
                f"--max-positions {cfg.max_positions} is too small: a row has {row} positions, "
                "leave the flag out or lower --sequence-length"
            )

    def load_dataset(self, split: str, epoch: int = 1, **kwargs: Any) -> None:
        """Make a set; training draws new examples in every epoch."""
        examples = GlobalReasoningDataset(self.reasoning, self.size_of(split), self.cfg.seed, split)
        examples.set_epoch(epoch)
        self.datasets[split] = DrawnRows(examples, self.dictionary, self.label_dictionary)

    def max_positions(self) -> int:
        """A whole row, if nothing else is asked for."""
        return self.cfg.max_positions or self.reasoning.length + 2


@dataclass
class MajorityTaggingConfig(GlobalReasoningConfig):
    """How many majorities there are in a sequence."""

    domains: int = flag(4, "p: pairs of symbols that compete")


@register_task("majority-tagging", dataclass=MajorityTaggingConfig)
class MajorityTaggingTask(GlobalReasoningTask):
    """Tag every token with the more frequent symbol of its domain."""

    @classmethod
    def setup_task(cls, cfg: MajorityTaggingConfig, **kwargs: Any) -> "MajorityTaggingTask":
        """Make the task of these sizes."""
        return cls(cfg, MajorityTagging(cfg.sequence_length, cfg.domains))


@dataclass
class SignedSumConfig(GlobalReasoningConfig):
    """What is summed, and how much of the sum is asked for."""

    modulus: int = flag(10, "k: the label is the total modulo this")
    largest_digit: int = flag(9, "tokens are signed digits of 1 to this")


@register_task("signed-sum", dataclass=SignedSumConfig)
class SignedSumTask(GlobalReasoningTask):
    """Tag every token with the total of all tokens, modulo k."""

    @classmethod
    def setup_task(cls, cfg: SignedSumConfig, **kwargs: Any) -> "SignedSumTask":
        """Make the task of these sizes."""
        return cls(cfg, SignedSum(cfg.sequence_length, cfg.modulus, cfg.largest_digit))
