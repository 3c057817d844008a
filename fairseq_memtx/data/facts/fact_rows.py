"""Rows of a training or a validation, with the answer as their only target.

Shapes: ``B`` rows of ``L`` symbols.
"""

import random
from typing import Any

import numpy as np
import torch

from ..rows import RowDataset
from .story_examples import FactsInNoise


class FactRows(RowDataset):
    """Rows of whole segments, the shorter ones first, so that rows of a batch are of one length.

    Args:
        examples: what the rows are made of.
        segment_length: ``T``.
        segments: of most rows.
        shorter: share of rows that have fewer segments, each number alike.
        least: segments that a row has at least.
        answers_alone: whether to tell a model with segments where the answers stand, which
            then gives scores there alone, so that targets are ``B x questions`` and not ``B x L``.
    """

    def __init__(
        self,
        examples: FactsInNoise,
        segment_length: int,
        segments: int,
        shorter: float = 0.0,
        least: int = 1,
        answers_alone: bool = True,
    ) -> None:
        pad = examples.dictionary.pad()
        self.examples, self.segments = examples, segments
        self.answers_alone = answers_alone
        lengths = np.full(len(examples), segments)
        numbers = random.Random(f"{examples.seed}/{examples.split}/{examples.epoch}/lengths")
        if segments > least:
            for index in range(len(examples)):
                if numbers.random() < shorter:
                    lengths[index] = numbers.randrange(least, segments)
        super().__init__(lengths * segment_length, (pad, pad))

    def ordered_indices(self) -> np.ndarray:
        """Of one length after the other."""
        return np.argsort(self.sizes, kind="stable")

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``source`` and ``target``, ``L`` symbols each, answers where they are due."""
        row = self.examples.row(int(index), int(self.sizes[index]))
        source = torch.from_numpy(row.window(0, int(self.sizes[index])))
        target = torch.full_like(source, self.pad[1])
        target[row.asked] = torch.tensor(row.answers)
        return {"id": int(index), "source": source, "target": target}

    def collater(self, samples: list[dict[str, Any]]) -> dict[str, Any]:
        """A batch, ``B x L``, padded on the right."""
        batch = super().collater(samples)
        if batch and self.answers_alone:
            asked = batch["target"].ne(self.pad[1]).nonzero()[:, 1].view(len(samples), -1)
            batch["net_input"]["predicted"] = asked
            batch["target"] = batch["target"].gather(1, asked)
        return batch
