"""Optimizers; importing registers them. fairseq does not import this folder by itself."""

from .. import plugin  # noqa: F401  (before all else)
from . import fused_adam  # noqa: F401
