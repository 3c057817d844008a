"""How a flag of a task or a model is written down."""

from dataclasses import field
from typing import Any


def flag(default: Any, told: str) -> Any:
    """A field of a configuration, with what ``--help`` tells of it."""
    return field(default=default, metadata={"help": told})
