"""Give every token a label: from a folder of two texts, and what other tagging tasks build on.

Data flow: a row is ``<s> token ... token </s>``; its target has a label of the label dictionary for
every token and padding, which no loss counts, at both ends. The task gives the model a head with
one score for every label, and the criterion ``sequence_tagging`` asks for it by name.
"""

# Annotations are not postponed in this file: fairseq makes flags out of them.
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
import torch
from fairseq.data import Dictionary, FairseqDataset
from fairseq.dataclass import FairseqDataclass
from fairseq.tasks import register_task
from omegaconf import MISSING
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..data import data_folder
from ..errors import MemtxError
from ..text import is_filling
from .token_task import TokenTask

PREPROCESS = "run fairseq-preprocess --only-source again, once into input0 and once into label"


class TaggingTask(TokenTask):
    """What all tagging tasks have in common.

    Args:
        cfg: the task's flags; ``max_positions`` is the longest row.
        dictionary: of tokens.
        label_dictionary: of labels.
    """

    token_head_name = "tags"
    criterion_name = "sequence_tagging"

    def __init__(self, cfg, dictionary: Dictionary, label_dictionary: Dictionary) -> None:
        super().__init__(cfg, dictionary, scores=count_labels(label_dictionary))
        self.label_dictionary = label_dictionary

    @property
    def target_dictionary(self) -> Dictionary:
        """Of labels."""
        return self.label_dictionary


def count_labels(dictionary: Dictionary) -> int:
    """Labels of a dictionary, without fairseq's symbols and what fills it up to a round number."""
    labels = dictionary.symbols[dictionary.nspecial :]
    while labels and is_filling(labels[-1]):
        labels.pop()
    return len(labels)


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
    def example(self, index: int) -> Tuple[Tensor, Tensor]:
        """Tokens and labels in the dictionaries' symbols, without ``<s>`` and ``</s>``."""

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> Dict[str, Any]:
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

    def collater(self, samples: List[Dict[str, Any]]) -> Dict[str, Any]:
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


@dataclass
class SequenceTaggingConfig(FairseqDataclass):
    """Where the texts are, and how long their lines may be."""

    data: str = field(
        default=MISSING,
        metadata={
            "help": "folder with input0 and label, each as fairseq-preprocess --only-source writes "
            "it, with one label for every token"
        },
    )
    max_positions: int = field(
        default=512, metadata={"help": "positions that a model has, two of them for <s> and </s>"}
    )


@register_task("sequence_tagging", dataclass=SequenceTaggingConfig)
class SequenceTaggingTask(TaggingTask):
    """Tag the tokens of a text, such as its named entities."""

    @classmethod
    def setup_task(cls, cfg: SequenceTaggingConfig, **kwargs: Any) -> "SequenceTaggingTask":
        """Read both dictionaries.

        Raises:
            MemtxError: if one is missing, or has a word with a byte order mark in front.
        """
        dictionaries = []
        for side in ("input0", "label"):
            path = Path(cfg.data) / side / "dict.txt"
            if not path.exists():
                raise MemtxError(f"there is no dictionary {path}: {PREPROCESS}")
            dictionaries.append(Dictionary.load(str(path)))
            marked = [word for word in dictionaries[-1].symbols if word.startswith("\ufeff")]
            if marked:
                raise MemtxError(
                    f"{path} has '{marked[0][1:]}' with a byte order mark in front, from the start "
                    f"of a file: take the mark out of the text and {PREPROCESS}"
                )
        # As fairseq's masked_lm has it, so that a model trained there fits.
        dictionaries[0].add_symbol("<mask>")
        return cls(cfg, *dictionaries)

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        """Load a split.

        Raises:
            MemtxError: if it is not whole, a line has not one known label for every token, or is
                too long.
        """
        texts, labels = (
            self._load(Path(self.cfg.data) / side / split, dictionary, combine)
            for side, dictionary in (("input0", self.dictionary), ("label", self.label_dictionary))
        )
        dataset = TextDataset(texts, labels, self.dictionary, self.label_dictionary)
        dataset.check(split, self.max_positions())
        self.tell_unknown(split, dataset.unknown())
        self.datasets[split] = dataset

    @staticmethod
    def _load(path: Path, dictionary: Dictionary, combine: bool):
        binary = Path(f"{path}.bin")
        if not binary.exists():
            raise MemtxError(f"there is no {binary}: {PREPROCESS}")
        return data_folder.load(str(path), dictionary, combine=combine)


class TextDataset(TaggingDataset):
    """Lines of a text and their labels.

    Args:
        texts: of tokens, each line with ``</s>`` at its end.
        labels: of labels, likewise.
        dictionary: of tokens.
        label_dictionary: of labels.
    """

    def __init__(self, texts, labels, dictionary: Dictionary, label_dictionary: Dictionary) -> None:
        super().__init__(np.asarray(texts.sizes) - 1, dictionary, label_dictionary)
        self.texts = texts
        self.labels = labels

    def example(self, index: int) -> Tuple[Tensor, Tensor]:
        """A line, without its ``</s>``."""
        return self.texts[index][:-1], self.labels[index][:-1]

    def unknown(self) -> float:
        """Share of the tokens that the dictionary does not have."""
        unk = self.dictionary.unk()
        unknown = sum(int(self.texts[line].eq(unk).sum()) for line in range(len(self)))
        return unknown / max(int(self.sizes.sum()) - 2 * len(self), 1)

    def check(self, split: str, longest: int) -> None:
        """Look through all lines before hours of training are spent on them.

        Raises:
            MemtxError: for the first line that has not one known label for every token, or is too
                long.
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
