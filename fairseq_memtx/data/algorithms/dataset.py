"""Examples of an algorithm, and which of them are held out."""

import random
from typing import Any

import torch

from ...errors import MemtxError
from ..drawn_examples import DrawnExamples, part_of
from .algorithm import Algorithm

LEAST_QUESTIONS = 256  # so that each of the two held-out parts has about 16


class AlgorithmDataset(DrawnExamples):
    """Examples of an algorithm; see `DrawnExamples`.

    Training never meets a question of validation or test: a hash gives every question to one of
    the three, 1/16 to validation and 1/16 to test, and rows of another part are drawn again. The
    seed has no say in that, so a model may be tested with another seed than it was trained with.
    Within a set a question may come more than once. Too few questions to share out are refused.
    """

    def __init__(self, algorithm: Algorithm, size: int, seed: int, split: str) -> None:
        super().__init__(size, seed, split)
        if algorithm.questions < LEAST_QUESTIONS:
            raise MemtxError(
                f"training, validation and test share {LEAST_QUESTIONS} different questions or "
                f"more and there are {algorithm.questions}: raise --sequence-length or "
                "--alphabet-size"
            )
        self.algorithm = algorithm

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``source`` and ``target``, ``L`` ids each, and ``answer_length``."""
        numbers = random.Random(self.seed_of(index))
        row = self.algorithm.row(numbers)
        while part_of(str(row[: self.algorithm.question_length]), 16) != self.part:
            row = self.algorithm.row(numbers)
        return {
            "source": torch.tensor(row[:-1]),
            "target": torch.tensor(row[1:]),
            "answer_length": self.algorithm.answer_length,
        }
