"""Examples of an algorithm, and which of them are held out."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import torch
from torch.utils.data import Dataset

from ...errors import MemtxError
from .algorithm import Algorithm

LEAST_QUESTIONS = 256  # so that each of the two held-out parts has about 16


class AlgorithmDataset(Dataset):
    """Examples of an algorithm, each made from its number when it is asked for.

    Training never meets a question of validation or test: a hash gives every question to one of
    the three, 1/16 to validation and 1/16 to test, and rows of another part are drawn again. The
    seed has no say in that, so a model may be tested with another seed than it was trained with.

    Example ``i`` depends on the seed, the name of the split and ``i`` alone, and in training on
    the epoch, so that any worker can make it. Within a set a question may come more than once.

    Args:
        algorithm: what to draw from.
        size: examples, at least 1.
        seed: of the random numbers.
        split: names that start with ``valid`` or ``test`` are held out; any other is training.

    Raises:
        MemtxError: if ``size`` is below 1, or there are too few questions to share out.
    """

    def __init__(self, algorithm: Algorithm, size: int, seed: int, split: str) -> None:
        if size < 1:
            raise MemtxError(f"the set '{split}' must have at least 1 example, not {size}")
        if algorithm.questions < LEAST_QUESTIONS:
            raise MemtxError(
                f"training, validation and test share {LEAST_QUESTIONS} different questions or "
                f"more and there are {algorithm.questions}: raise --sequence-length or "
                "--alphabet-size"
            )
        self.algorithm = algorithm
        self.size = size
        self.seed = seed
        self.split = split
        self.part = next((part for part in ("valid", "test") if split.startswith(part)), "train")
        self.epoch = 1

    def set_epoch(self, epoch: int) -> None:
        """Draw other training examples; validation and test stay as they are."""
        if self.part == "train":
            self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``source`` and ``target``, ``L`` ids each, and ``answer_length``."""
        if not 0 <= index < self.size:
            raise IndexError(f"there is no example {index} among {self.size}")
        numbers = random.Random(f"{self.seed}/{self.split}/{self.epoch}/{index}")
        row = self.algorithm.row(numbers)
        while _part(row[: self.algorithm.question_length]) != self.part:
            row = self.algorithm.row(numbers)
        return {
            "source": torch.tensor(row[:-1]),
            "target": torch.tensor(row[1:]),
            "answer_length": self.algorithm.answer_length,
        }


def _part(question: list[int]) -> str:
    """Which of ``train``, ``valid`` and ``test`` a question belongs to, the same everywhere."""
    digest = hashlib.blake2b(str(question).encode(), digest_size=1).digest()
    return {0: "valid", 1: "test"}.get(digest[0] % 16, "train")
