"""Models of other code become checkpoints of fairseq, and back: one file a kind of model."""

from .. import plugin  # noqa: F401  (before all else)
