"""Algorithmic tasks of the Recurrent Memory Transformer paper (appendix A), made on the fly.

An example is one row of ids, a question followed by its answer. The model reads ``row[:-1]`` and is
to predict ``row[1:]``; only the last ``answer_length`` predictions count.
"""

from __future__ import annotations

import hashlib
import math
import random
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch.utils.data import Dataset

from ..errors import MemtxError

LEAST_QUESTIONS = 256  # so that each of the two held-out parts has about 16


class Algorithm(ABC):
    """One task at one size: the format of its rows, and a way to draw them.

    Attributes:
        vocabulary_size: ids are below it.
        question_length: that many ids at the start of a row decide all that follow.
        answer_length: that many targets at the end count.
        questions: how many different questions there are.
    """

    vocabulary_size: int
    question_length: int
    answer_length: int
    questions: int

    @property
    def source_length(self) -> int:
        """What the model reads, ``L``; a row has one id more."""
        return self.question_length + self.answer_length

    @abstractmethod
    def row(self, numbers: random.Random) -> list[int]:
        """Draw an example, ``source_length + 1`` ids."""


@dataclass(frozen=True)
class _Symbols(Algorithm):
    """``X [1] answer`` with ``length`` symbols ``X``, ids 2 and up; 0 stays free for padding.

    Args:
        length: symbols of the question, at least 1.
        alphabet: different symbols, at least 1.

    Raises:
        MemtxError: if a size is below 1.
    """

    length: int
    alphabet: int

    def __post_init__(self) -> None:
        for flag, size in [("--sequence-length", self.length), ("--alphabet-size", self.alphabet)]:
            if size < 1:
                raise MemtxError(f"{flag} must be at least 1, not {size}")

    @property
    def vocabulary_size(self) -> int:
        return self.alphabet + 2

    @property
    def question_length(self) -> int:
        return self.length

    @property
    def answer_length(self) -> int:
        return len(self.answer([0] * self.length))

    @property
    def questions(self) -> int:
        return self.alphabet**self.length

    @abstractmethod
    def answer(self, question: list[int]) -> list[int]:
        """What has to follow the start token."""

    def row(self, numbers: random.Random) -> list[int]:
        question = numbers.choices(range(2, self.vocabulary_size), k=self.length)
        return [*question, 1, *self.answer(question)]


class Copy(_Symbols):
    """Say ``X`` twice: ``X [1] X X``."""

    def answer(self, question: list[int]) -> list[int]:
        return question + question


class Reverse(_Symbols):
    """Say ``X`` backwards: ``X [1] reversed(X)``."""

    def answer(self, question: list[int]) -> list[int]:
        return question[::-1]


@dataclass(frozen=True)
class AssociativeRetrieval(Algorithm):
    """Find the value of a key: ``key value key value ... key [10] value``.

    Keys are letters, ids 11 to 36, and values are digits, ids 0 to 9; none comes twice. Id 0 is
    the digit zero here and never padding.

    Args:
        pairs: of key and value, 1 to 10.

    Raises:
        MemtxError: if there are not enough digits for so many pairs.
    """

    pairs: int = 4

    vocabulary_size = 37
    answer_length = 1

    def __post_init__(self) -> None:
        if not 1 <= self.pairs <= 10:
            raise MemtxError(f"--pairs must be from 1 to 10, one digit for each, not {self.pairs}")

    @property
    def question_length(self) -> int:
        return 2 * self.pairs + 1

    @property
    def questions(self) -> int:
        return math.perm(26, self.pairs) * math.perm(10, self.pairs) * self.pairs

    def row(self, numbers: random.Random) -> list[int]:
        keys = numbers.sample(range(11, 37), self.pairs)
        values = numbers.sample(range(10), self.pairs)
        asked = numbers.randrange(self.pairs)
        pairs = [part for pair in zip(keys, values) for part in pair]
        return [*pairs, keys[asked], 10, values[asked]]


@dataclass(frozen=True)
class QuadraticEquations(Algorithm):
    """Solve an equation step by step, in six lines of 30 characters, each filled up with 0::

        -4*x^2+392*x-2208=0           the question
        x^2-98*x+552=0                divided by its first coefficient
        D=98^2-4*1*552=7396=86^2      the discriminant; of b its size, without the sign
        x=(98-86)/2=6                 the smaller root
        x=(98+86)/2=92                the larger root
        6,92                          the answer; equal roots stand once

    One equation in five has no real roots: its ``D`` ends with a negative number and the last three
    lines are empty. Roots are integers below 100 in size; the first coefficient is 1 to 10 or
    negative.

    A row has one 0 after the six lines, so that the target is the source moved by one and ends
    with 0. The target of a line's last place is therefore the first character of the next line,
    and the 150 targets that count leave out the ``x`` that always starts the second line.

    What is held out is the first line, as in the published data: training may meet the same
    equation multiplied by another number.
    """

    vocabulary_size = 24
    question_length = 30
    answer_length = 5 * 30
    # 20 first coefficients, and for each the pairs of roots and the (b, c) without real roots.
    questions = 20 * (199 * 200 // 2 + sum(9999 - b * b // 4 for b in range(200)))

    def row(self, numbers: random.Random) -> list[int]:
        factor = numbers.choice((-1, 1)) * round(numbers.uniform(1, 10))
        if numbers.random() < 0.2:
            b = numbers.randrange(200)
            c = numbers.randrange(b * b // 4 + 1, 10_000)
        else:
            # Numbers between -100 and 100 cut off at the point: zero comes twice as often.
            one, other = (numbers.choice((-1, 1)) * numbers.randrange(100) for _ in range(2))
            b, c = -(one + other), one * other
        return encode(solve(factor, b, c))


def solve(factor: int, b: int, c: int) -> list[str]:
    """The six lines for ``factor * (x^2 + b x + c) = 0``, whose real roots must be integers."""
    discriminant = b * b - 4 * c
    lines = [
        _equation(factor, factor * b, factor * c),
        _equation(1, b, c),
        f"D={abs(b)}^2-4*1*{c}={discriminant}",
    ]
    if discriminant < 0:
        return [*lines, "", "", ""]
    root = math.isqrt(discriminant)
    low, high = (-b - root) // 2, (-b + root) // 2
    lines[-1] += f"={root}^2"
    return [
        *lines,
        f"x=({-b}-{root})/2={low}",
        f"x=({-b}+{root})/2={high}",
        str(low) if low == high else f"{low},{high}",
    ]


def _equation(a: int, b: int, c: int) -> str:
    text = ""
    for coefficient, power in [(a, "x^2"), (b, "x"), (c, "")]:
        if coefficient:
            size = str(abs(coefficient))
            factors = [power] if size == "1" and power else [size, power]
            sign = "-" if coefficient < 0 else "+" if text else ""
            text += sign + "*".join(filter(None, factors))
    return f"{text}=0"


def encode(lines: list[str]) -> list[int]:
    """The row of a solution: 30 ids a line, and the 0 at the end."""
    row = []
    for line in lines:
        row += [_IDS[character] for character in line] + [0] * (30 - len(line))
    return [*row, 0]


_IDS = {character: place for place, character in enumerate("0123456789+-*/^=()xD;,", start=2)}


ALGORITHMS = {
    "copy": Copy,
    "reverse": Reverse,
    "associative-retrieval": AssociativeRetrieval,
    "quadratic-equations": QuadraticEquations,
}


def make(algorithm: str, length: int, alphabet: int, pairs: int) -> Algorithm:
    """The algorithm of a name; each takes the sizes that mean something to it.

    Raises:
        MemtxError: if there is no such algorithm or a size is impossible.
    """
    if algorithm not in ALGORITHMS:
        raise MemtxError(
            f"--algorithm {algorithm} is not known: choose one of {', '.join(ALGORITHMS)}"
        )
    sizes = {"length": length, "alphabet": alphabet, "pairs": pairs}
    return ALGORITHMS[algorithm](**{name: sizes[name] for name in sizes_of(algorithm)})


def sizes_of(algorithm: str) -> list[str]:
    """Names of the sizes that mean something to an algorithm; all, if there is none of the name."""
    kind = ALGORITHMS.get(algorithm)
    return [field.name for field in fields(kind)] if kind else ["length", "alphabet", "pairs"]


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
