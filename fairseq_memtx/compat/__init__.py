"""Where the plugin mends fairseq from outside, one fault a file.

Features are probed rather than version numbers compared, because trees of fairseq differ while
their version files agree. Nothing is imported but fairseq, torch and numpy, so that a user's own
fairseq works by ``--user-dir`` without installing anything.
"""

from __future__ import annotations

import importlib
import pkgutil


def mend_fairseq() -> None:
    """Mend every fault of this folder's files, once."""
    for file in pkgutil.iter_modules(__path__):
        importlib.import_module(f".{file.name}", __name__).mend()
