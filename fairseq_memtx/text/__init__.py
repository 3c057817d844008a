"""How text becomes tokens, in plain Python: what ``prepare/`` and the plugin share.

A text enters in many places: ``fairseq-memtx prepare``, ``fairseq-interactive``, the hub
interfaces, question answering. Wherever it does, it goes through `FolderText`, so that it is cut
into the same tokens. Nothing here imports fairseq or torch, whose import takes seconds.
"""

from .folder import (
    FolderText,
    is_lowercase,
    punctuation_is_apart,
    read_codes,
    read_dictionary,
)
from .gpt2 import read_encoder
from .lines import decode, read_lines, read_text
from .symbols import escape, is_filling, unescape
from .words import BETWEEN_SPACES, CHARACTER, join_words, split_words

__all__ = [
    "BETWEEN_SPACES",
    "CHARACTER",
    "FolderText",
    "decode",
    "escape",
    "is_filling",
    "is_lowercase",
    "join_words",
    "punctuation_is_apart",
    "read_codes",
    "read_dictionary",
    "read_encoder",
    "read_lines",
    "read_text",
    "split_words",
    "unescape",
]
