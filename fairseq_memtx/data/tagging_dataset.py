"""Rows of tokens with a label each, as fairseq's models of sentences read them."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from fairseq.data import Dictionary
from torch import Tensor

from .rows import RowDataset


class TaggingDataset(RowDataset, ABC):
    """Rows ``<s> token ... token </s>``; `example` says what is in them.

    ``tokens`` is the number of tokens of every example.
    """

    def __init__(
        self, tokens: np.ndarray, dictionary: Dictionary, label_dictionary: Dictionary
    ) -> None:
        super().__init__(tokens + 2, (dictionary.pad(), label_dictionary.pad()))
        self.dictionary = dictionary
        self.label_dictionary = label_dictionary

    @abstractmethod
    def example(self, index: int) -> tuple[Tensor, Tensor]:
        """Tokens and labels in the dictionaries' symbols, without ``<s>`` and ``</s>``."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``source`` and ``target``, ``L`` symbols each."""
        tokens, labels = self.example(int(index))
        bos, eos = (tokens.new_tensor([i]) for i in (self.dictionary.bos(), self.dictionary.eos()))
        no_label = labels.new_tensor([self.label_dictionary.pad()])
        source, target = torch.cat([bos, tokens, eos]), torch.cat([no_label, labels, no_label])
        return {"id": int(index), "source": source, "target": target}

    def ordered_indices(self) -> np.ndarray:
        """Rows of about the same length beside each other, in a random order otherwise."""
        order = np.random.permutation(len(self))
        return order[np.argsort(self.sizes[order], kind="stable")]
