"""Rows of tokens with a label each, and batches of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from fairseq.data import Dictionary, FairseqDataset
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


class TaggingDataset(FairseqDataset, ABC):
    """Rows and targets of equal length; `example` says what is in them.

    Args:
        tokens: number of tokens of every example.
        dictionary: of tokens.
        label_dictionary: of labels.
    """

    def __init__(
        self, tokens: np.ndarray, dictionary: Dictionary, label_dictionary: Dictionary
    ) -> None:
        self.sizes = tokens + 2
        self.dictionary = dictionary
        self.label_dictionary = label_dictionary

    @abstractmethod
    def example(self, index: int) -> tuple[Tensor, Tensor]:
        """Tokens and labels in the dictionaries' symbols, without ``<s>`` and ``</s>``."""

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``source`` and ``target``, ``L`` symbols each."""
        tokens, labels = self.example(int(index))
        bos, eos = (tokens.new_tensor([i]) for i in (self.dictionary.bos(), self.dictionary.eos()))
        no_label = labels.new_tensor([self.label_dictionary.pad()])
        source, target = torch.cat([bos, tokens, eos]), torch.cat([no_label, labels, no_label])
        return {"id": int(index), "source": source, "target": target}

    def num_tokens(self, index: int) -> int:
        """Length of a row."""
        return int(self.sizes[index])

    def size(self, index: int) -> int:
        """Length of a row."""
        return int(self.sizes[index])

    def ordered_indices(self) -> np.ndarray:
        """Rows of about the same length beside each other, in a random order otherwise."""
        order = np.random.permutation(len(self))
        return order[np.argsort(self.sizes[order], kind="stable")]

    def collater(self, samples: list[dict[str, Any]]) -> dict[str, Any]:
        """A batch, ``B x L``, padded on the right."""
        if not samples:
            return {}
        source, target = (
            pad_sequence(
                [sample[side] for sample in samples],
                batch_first=True,
                padding_value=dictionary.pad(),
            )
            for side, dictionary in (
                ("source", self.dictionary),
                ("target", self.label_dictionary),
            )
        )
        return {
            "id": torch.tensor([sample["id"] for sample in samples]),
            "nsentences": len(samples),
            "ntokens": int(target.ne(self.label_dictionary.pad()).sum()),
            "net_input": {
                "src_tokens": source,
                "src_lengths": torch.tensor([len(sample["source"]) for sample in samples]),
            },
            "target": target,
        }
