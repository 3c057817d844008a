"""The flags of a run: what presets fill in, and what is looked at before anything is built."""

from .. import plugin  # noqa: F401  (before all else)
