"""What memory does in a trained model, measured: numbers alone, which `pictures` draws."""

from .. import plugin  # noqa: F401  (before all else)
