"""Checkpoints: which are believed, which a run begins with, weights of other sizes, their mean."""

from .. import plugin  # noqa: F401  (before all else)
