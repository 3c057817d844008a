"""Lines of a text and their labels, looked at whole before they are trained on."""

from typing import Any

import numpy as np
import torch
from fairseq.data import Dictionary
from torch import Tensor

from ..errors import MemtxError
from ..text.symbols import is_filling
from .tagging_dataset import TaggingDataset

PREPROCESS = "run fairseq-preprocess --only-source again, once into input0 and once into label"


def count_labels(dictionary: Dictionary) -> int:
    """Labels of a dictionary, without fairseq's symbols and what fills it up to a round number."""
    labels = dictionary.symbols[dictionary.nspecial :]
    while labels and is_filling(labels[-1]):
        labels.pop()
    return len(labels)


class TaggedText(TaggingDataset):
    """Lines of a text and their labels, both with ``</s>`` at the end of each."""

    def __init__(
        self, texts: Any, labels: Any, dictionary: Dictionary, label_dictionary: Dictionary
    ) -> None:
        super().__init__(np.asarray(texts.sizes) - 1, dictionary, label_dictionary)
        self.texts = texts
        self.labels = labels

    def example(self, index: int) -> tuple[Tensor, Tensor]:
        """A line, without its ``</s>``."""
        return self.texts[index][:-1], self.labels[index][:-1]

    def unknown(self) -> float:
        """Share of the tokens that the dictionary does not have."""
        unk = self.dictionary.unk()
        unknown = sum(int(self.texts[line].eq(unk).sum()) for line in range(len(self)))
        return unknown / max(int(self.sizes.sum()) - 2 * len(self), 1)

    def check(self, split: str, longest: int) -> None:
        """Look through all lines before hours of training are spent on them.

        The first that has not one known label for every token, or is too long, is refused.
        """
        if len(self.texts) != len(self.labels):
            raise MemtxError(
                f"'{split}' has {len(self.texts)} lines in input0 and {len(self.labels)} in label: "
                f"give every line its labels and {PREPROCESS}"
            )
        tokens, labels = self.sizes - 2, np.asarray(self.labels.sizes) - 1
        wrong = np.flatnonzero(tokens != labels)
        if len(wrong):
            line = wrong[0]
            raise MemtxError(
                f"line {line + 1} of '{split}' has {tokens[line]} tokens and {labels[line]} "
                f"labels: give every token one label and {PREPROCESS}"
            )
        wrong = np.flatnonzero(self.sizes > longest)
        if len(wrong):
            line = wrong[0]
            raise MemtxError(
                f"line {line + 1} of '{split}' has {self.sizes[line]} positions with <s> and </s>, "
                f"more than --max-positions {longest}: raise it or split the line"
            )
        first = self.label_dictionary.nspecial
        known = torch.arange(first, first + count_labels(self.label_dictionary))
        for line in range(len(self)):
            if not torch.isin(self.labels[line][:-1], known).all():
                raise MemtxError(
                    f"line {line + 1} of '{split}' has a label that is not in label/dict.txt: "
                    f"use the labels of training alone, or give them all to --srcdict and "
                    f"{PREPROCESS}"
                )
