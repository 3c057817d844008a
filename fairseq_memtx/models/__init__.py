"""Models, one file a paper; importing registers them."""

from . import mem_transformer

__all__ = ["mem_transformer"]
