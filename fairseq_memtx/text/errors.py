"""What is wrong with a text or with the files that say how it is cut."""

from __future__ import annotations


class TextError(ValueError):
    """Something the user can put right, told in one line."""
