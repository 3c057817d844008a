"""Rows of tokens with a target for each, and batches of them."""

from typing import Any

import numpy as np
import torch
from fairseq.data import FairseqDataset
from torch.nn.utils.rnn import pad_sequence


class RowDataset(FairseqDataset):
    """Rows and targets of equal length; subclasses make the items.

    An item is a dict with ``id``, ``source`` and ``target``, of ``L`` symbols each.

    Args:
        sizes: length of every row.
        pad: symbols of padding, in rows and in targets; no loss counts the latter.
    """

    def __init__(self, sizes: np.ndarray, pad: tuple[int, int]) -> None:
        self.sizes = sizes
        self.pad = pad

    def __len__(self) -> int:
        return len(self.sizes)

    def num_tokens(self, index: int) -> int:
        """Length of a row."""
        return int(self.sizes[index])

    size = num_tokens

    def collater(self, samples: list[dict[str, Any]]) -> dict[str, Any]:
        """A batch, ``B x L``, padded on the right."""
        if not samples:
            return {}
        source, target = (
            pad_sequence([sample[side] for sample in samples], True, pad)
            for side, pad in zip(("source", "target"), self.pad)
        )
        return {
            "id": torch.tensor([sample["id"] for sample in samples]),
            "nsentences": len(samples),
            "ntokens": int(target.ne(self.pad[1]).sum()),
            "net_input": {
                "src_tokens": source,
                "src_lengths": torch.tensor([len(sample["source"]) for sample in samples]),
            },
            "target": target,
        }
