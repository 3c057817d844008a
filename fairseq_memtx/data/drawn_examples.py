"""Examples that are made from their numbers when they are asked for."""

import hashlib

from torch.utils.data import Dataset

from ..errors import MemtxError


class DrawnExamples(Dataset):
    """A set without files; subclasses draw an example by what `seed_of`.

    Example ``i`` depends on the seed, the name of the split and ``i`` alone, and in training on
    the epoch, so that any worker can make it.

    Args:
        size: examples, at least 1.
        seed: of the random numbers.
        split: names that start with ``valid`` or ``test`` are held out; any other is training.
    """

    def __init__(self, size: int, seed: int, split: str) -> None:
        if size < 1:
            raise MemtxError(f"the set '{split}' must have at least 1 example, not {size}")
        self.size = size
        self.seed = seed
        self.split = split
        self.part = part_named(split)
        self.epoch = 1

    def set_epoch(self, epoch: int) -> None:
        """Draw other training examples; validation and test stay as they are."""
        if self.part == "train":
            self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def seed_of(self, index: int) -> str:
        """Of the random numbers that an example is drawn with."""
        if not 0 <= index < self.size:
            raise IndexError(f"there is no example {index} among {self.size}")
        return f"{self.seed}/{self.split}/{self.epoch}/{index}"


def part_named(split: str) -> str:
    """``valid`` or ``test`` for names that start so, ``train`` for any other."""
    return next((part for part in ("valid", "test") if split.startswith(part)), "train")


def part_of(example: str, shares: int) -> str:
    """Which of the three parts an example belongs to, the same everywhere and with every seed.

    Args:
        example: as it is told from others.
        shares: one of so many is for validation, one for test, the others are for training.
    """
    digest = hashlib.blake2b(example.encode(), digest_size=1).digest()
    return {0: "valid", 1: "test"}.get(digest[0] % shares, "train")


def at_least(least: int, flag: str, size: int) -> None:
    """Refuse a smaller size, naming the flag."""
    if size < least:
        raise MemtxError(f"{flag} must be at least {least}, not {size}")
