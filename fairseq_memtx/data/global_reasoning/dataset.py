"""Sequences made from their numbers, and as rows of a tagging task."""

import numpy as np
import torch
from fairseq.data import Dictionary
from torch import Tensor

from ..drawn_examples import DrawnExamples
from ..tagging_dataset import TaggingDataset
from .reasoning import GlobalReasoning


class GlobalReasoningDataset(DrawnExamples):
    """Sequences of a task, drawn independently: long ones never come twice, in no two sets.

    See `DrawnExamples`.
    """

    def __init__(self, reasoning: GlobalReasoning, size: int, seed: int, split: str) -> None:
        super().__init__(size, seed, split)
        self.reasoning = reasoning

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Tokens and labels, ``L`` each, as places in the task's symbols and labels."""
        # RandomState, since its numbers stay the same in every version of numpy.
        numbers = np.random.RandomState(list(self.seed_of(index).encode()))
        tokens, labels = self.reasoning.draw(numbers)
        return torch.from_numpy(tokens), torch.from_numpy(labels)


class DrawnRows(TaggingDataset):
    """Drawn tokens and labels, which count from 0, in fairseq's symbols, after its own."""

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
