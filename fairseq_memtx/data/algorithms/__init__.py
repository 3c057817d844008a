"""Algorithmic tasks of the Recurrent Memory Transformer paper (appendix A), made on the fly.

An example is one row of ids, a question followed by its answer. The model reads ``row[:-1]`` and is
to predict ``row[1:]``; only the last ``answer_length`` predictions count.
"""

from dataclasses import fields

from ...errors import MemtxError
from .algorithm import Algorithm
from .associative_retrieval import AssociativeRetrieval
from .copy_and_reverse import Copy, Reverse
from .dataset import AlgorithmDataset
from .quadratic_equations import QuadraticEquations

__all__ = ["ALGORITHMS", "Algorithm", "AlgorithmDataset", "make", "sizes_of"]

ALGORITHMS: dict[str, type[Algorithm]] = {
    "copy": Copy,
    "reverse": Reverse,
    "associative-retrieval": AssociativeRetrieval,
    "quadratic-equations": QuadraticEquations,
}


def make(algorithm: str, length: int, alphabet: int, pairs: int) -> Algorithm:
    """The algorithm of a name; each takes the sizes that mean something to it."""
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
