"""One page about a training, over or not: what it was told, how it went, what it says."""

from .. import plugin  # noqa: F401  (before all else)
