"""The plugin's rules of cutting text, without the plugin, whose import takes seconds."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "fairseq_memtx/text"

# By its place and under a name of its own: with the plugin's folder on the path, its `models` and
# `data` would be found before anybody else's.
_spec = spec_from_file_location("memtx_text", FOLDER / "__init__.py")
text = sys.modules["memtx_text"] = module_from_spec(_spec)
_spec.loader.exec_module(text)

FolderText = text.FolderText
TextError = text.TextError
decode = text.decode
escape = text.escape
punctuation_is_apart = text.punctuation_is_apart
read_lines = text.read_lines
read_text = text.read_text

__all__ = [
    "FolderText",
    "TextError",
    "decode",
    "escape",
    "punctuation_is_apart",
    "read_lines",
    "read_text",
]
