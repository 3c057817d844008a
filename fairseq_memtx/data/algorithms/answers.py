"""Examples of an algorithm as fairseq's batches, with targets in the answer alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from fairseq.data import Dictionary, FairseqDataset

from .dataset import AlgorithmDataset


class AnswerDataset(FairseqDataset):
    """Examples in fairseq's symbols, with targets in the answer alone.

    Args:
        examples: rows of ids.
        dictionary: whose first symbols are fairseq's own, so ids move up by their number.
    """

    def __init__(self, examples: AlgorithmDataset, dictionary: Dictionary) -> None:
        self.examples = examples
        self.pad = dictionary.pad()
        self.moved_up = dictionary.nspecial
        self.sizes = np.full(len(examples), examples.algorithm.source_length)

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``source`` and ``target``, ``L`` symbols each."""
        example = self.examples[int(index)]
        target = example["target"] + self.moved_up
        target[: -example["answer_length"]] = self.pad
        return {"id": index, "source": example["source"] + self.moved_up, "target": target}

    def num_tokens(self, index: int) -> int:
        """The same for all."""
        return int(self.sizes[index])

    def size(self, index: int) -> int:
        """The same for all."""
        return int(self.sizes[index])

    def collater(self, samples: list[dict[str, Any]]) -> dict[str, Any]:
        """A batch, ``B x L``; nothing needs padding."""
        if not samples:
            return {}
        source, target = (
            torch.stack([sample[part] for sample in samples]) for part in ("source", "target")
        )
        return {
            "id": torch.tensor([int(sample["id"]) for sample in samples]),
            "nsentences": len(samples),
            "ntokens": int(target.ne(self.pad).sum()),
            "net_input": {
                "src_tokens": source,
                "src_lengths": torch.full((len(samples),), source.size(1)),
            },
            "target": target,
        }
