"""Examples of an algorithm as fairseq's rows, with targets in the answer alone."""

from typing import Any

import numpy as np
from fairseq.data import Dictionary

from ..rows import RowDataset
from .dataset import AlgorithmDataset


class AnswerDataset(RowDataset):
    """Examples in fairseq's symbols, with targets in the answer alone.

    fairseq's own symbols are the first of a dictionary, so ids move up by their number.
    """

    def __init__(self, examples: AlgorithmDataset, dictionary: Dictionary) -> None:
        pad = dictionary.pad()
        super().__init__(np.full(len(examples), examples.algorithm.source_length), (pad, pad))
        self.examples = examples
        self.moved_up = dictionary.nspecial

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``source`` and ``target``, ``L`` symbols each."""
        example = self.examples[int(index)]
        target = example["target"] + self.moved_up
        target[: -example["answer_length"]] = self.pad[1]
        return {"id": int(index), "source": example["source"] + self.moved_up, "target": target}
