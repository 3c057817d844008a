"""fairseq layers built on ``memory/``; they know nothing of models."""

from .. import plugin  # noqa: F401  (before all else)
