"""Sequences made from their numbers, and as rows of a tagging task."""

from __future__ import annotations

import numpy as np
import torch
from fairseq.data import Dictionary
from torch import Tensor
from torch.utils.data import Dataset

from ..tagging_dataset import TaggingDataset
from .reasoning import GlobalReasoning, at_least


class GlobalReasoningDataset(Dataset):
    """Sequences of a task, each made from its number when it is asked for.

    Example ``i`` depends on the seed, the name of the split and ``i`` alone, and in training on
    the epoch, so that any worker can make it. Sequences are drawn independently: long ones never
    come twice, neither within a set nor in two of them.

    Args:
        reasoning: what to draw from.
        size: examples, at least 1.
        seed: of the random numbers.
        split: names that start with ``valid`` or ``test`` are the same in every epoch.

    Raises:
        MemtxError: if ``size`` is below 1.
    """

    def __init__(self, reasoning: GlobalReasoning, size: int, seed: int, split: str) -> None:
        at_least(1, f"the number of examples in '{split}'", size)
        self.reasoning = reasoning
        self.size = size
        self.seed = seed
        self.split = split
        self.epoch = 1

    def set_epoch(self, epoch: int) -> None:
        """Draw other training examples; validation and test stay as they are."""
        if not self.split.startswith(("valid", "test")):
            self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Tokens and labels, ``L`` each, as places in the task's symbols and labels."""
        if not 0 <= index < self.size:
            raise IndexError(f"there is no example {index} among {self.size}")
        # RandomState, since its numbers stay the same in every version of numpy.
        place = f"{self.seed}/{self.split}/{self.epoch}/{index}"
        tokens, labels = self.reasoning.draw(np.random.RandomState(list(place.encode())))
        return torch.from_numpy(tokens), torch.from_numpy(labels)


class DrawnRows(TaggingDataset):
    """Drawn sequences in fairseq's symbols, which come after its own.

    Args:
        examples: of tokens and labels that count from 0.
        dictionary: of tokens.
        label_dictionary: of labels.
    """

    def __init__(
        self,
        examples: GlobalReasoningDataset,
        dictionary: Dictionary,
        label_dictionary: Dictionary,
    ) -> None:
        tokens = np.full(len(examples), examples.reasoning.length)
        super().__init__(tokens, dictionary, label_dictionary)
        self.examples = examples

    def example(self, index: int) -> tuple[Tensor, Tensor]:
        """A sequence and its labels."""
        tokens, labels = self.examples[index]
        return tokens + self.dictionary.nspecial, labels + self.label_dictionary.nspecial
