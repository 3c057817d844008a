"""Where the plugin mends fairseq from outside, one fault a file, and all it knows of versions.

Imported before anything else. Features are probed rather than version numbers compared, because
trees of fairseq differ while their version files agree. Imports nothing but fairseq, torch and
numpy, so that a user's own fairseq works by ``--user-dir`` without installing anything.
"""

from .binarised_data import check_binarised_data, count_sentences
from .data_folders import name_data_folders, what_it_is
from .dictionaries import check_dictionaries
from .fast_path import drop_fast_path, drop_fast_path_weights
from .literals import read_literals_only
from .numpy_two import restore_numpy_long
from .piece_files import check_piece_files
from .safe_classes import allow_fairseq_checkpoints, safe_classes
from .text_files import read_text
from .versions import OLDEST_PYTHON, check_versions, versions
from .whole_word_masking import repair_whole_word_masking

__all__ = [
    "OLDEST_PYTHON",
    "allow_fairseq_checkpoints",
    "check_binarised_data",
    "check_dictionaries",
    "check_piece_files",
    "check_versions",
    "count_sentences",
    "drop_fast_path",
    "drop_fast_path_weights",
    "mend_fairseq",
    "name_data_folders",
    "read_literals_only",
    "read_text",
    "restore_numpy_long",
    "repair_whole_word_masking",
    "safe_classes",
    "versions",
    "what_it_is",
]


def mend_fairseq() -> None:
    """Apply every repair, once; each leaves a fairseq that has not its fault as it is."""
    read_literals_only()
    restore_numpy_long()
    repair_whole_word_masking()
    allow_fairseq_checkpoints()
    check_binarised_data()
    check_dictionaries()
    name_data_folders()
    check_piece_files()
