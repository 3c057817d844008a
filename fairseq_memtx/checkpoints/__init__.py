"""Checkpoints: which are believed, which a run begins with, and weights of other sizes."""

from .. import plugin  # noqa: F401  (before all else)
