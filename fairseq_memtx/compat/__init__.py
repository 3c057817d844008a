"""Where the plugin mends fairseq from outside, one fault a file, and all it knows of versions.

Imported before anything else. Features are probed rather than version numbers compared, because
trees of fairseq differ while their version files agree. Imports nothing but fairseq, torch and
numpy, so that a user's own fairseq works by ``--user-dir`` without installing anything.
"""

from .fast_path import drop_fast_path, drop_fast_path_weights
from .literals import read_literals_only
from .numpy_two import restore_numpy_long
from .safe_classes import allow_fairseq_checkpoints, safe_classes
from .versions import OLDEST_PYTHON, check_versions, versions
from .whole_word_masking import repair_whole_word_masking

__all__ = [
    "OLDEST_PYTHON",
    "allow_fairseq_checkpoints",
    "check_versions",
    "drop_fast_path",
    "drop_fast_path_weights",
    "mend_fairseq",
    "read_literals_only",
    "restore_numpy_long",
    "repair_whole_word_masking",
    "safe_classes",
    "versions",
]


def mend_fairseq() -> None:
    """Apply every repair, once; each leaves a fairseq that has not its fault as it is."""
    read_literals_only()
    restore_numpy_long()
    repair_whole_word_masking()
    allow_fairseq_checkpoints()
