"""The plugin's rules of cutting text, without the plugin, whose import takes seconds."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "fairseq_memtx"))

from text import (
    FolderText,
    TextError,
    decode,
    escape,
    punctuation_is_apart,
    read_lines,
    read_text,
)

__all__ = [
    "FolderText",
    "TextError",
    "decode",
    "escape",
    "punctuation_is_apart",
    "read_lines",
    "read_text",
]
