"""From paired measurements to a verdict, by a rule that was written down before.

A sub-claim says that something is better, or no worse, by a smallest effect of interest. Its effect
is the mean of the differences of pairs, a pair a seed, counted so that more is better; around it
stands the 95 % interval of Student's t for the mean of paired differences.
"""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from scipy.special import stdtrit

HOLDS = "holds"
DOES_NOT_HOLD = "does not hold"
MIXED = "mixed"
TOO_SMALL = "too small to tell"
NOT_RUN = "not run"
KINDS = ("better", "no-worse", "equal")
METHOD = "Student's t of the differences paired by seed, two-sided, 95 %"


class Effect(NamedTuple):
    """Differences of pairs, their mean, and where the true mean is with 95 % certainty."""

    differences: list[float]
    mean: float
    low: float | None  # None: one pair tells nothing of how much pairs differ
    high: float | None


def effect(differences: Sequence[float]) -> Effect:
    """The effect of one pair or more."""
    mean = statistics.fmean(differences)
    if len(differences) < 2:
        return Effect(list(differences), mean, None, None)
    error = statistics.stdev(differences) / len(differences) ** 0.5
    half = float(stdtrit(len(differences) - 1, 0.975)) * error
    return Effect(list(differences), mean, mean - half, mean + half)


def verdict(kind: str, found: Effect, smallest: float) -> str:
    """What the differences say of a sub-claim.

    ``kind`` is ``better``: the effect is larger than ``smallest``; ``no-worse``: it is larger than
    ``-smallest``; or ``equal``: every difference is within ``smallest``, which is for what has no
    chance in it and needs no interval.
    """
    if kind == "equal":
        return HOLDS if max(map(abs, found.differences)) <= smallest else DOES_NOT_HOLD
    if found.low is None or found.high is None:
        return TOO_SMALL
    border = smallest if kind == "better" else -smallest
    if found.low > border:
        return HOLDS
    return DOES_NOT_HOLD if found.high < border else TOO_SMALL


def together(verdicts: Sequence[str]) -> str:
    """The verdict of a claim from those of its sub-claims; it has none before all of them have."""
    said = set(verdicts)
    if not said or NOT_RUN in said:
        return NOT_RUN
    return said.pop() if len(said) == 1 else MIXED
