"""Texts that trained models write: plain text in and out.

How text is cut is found from the data folder's record, or from the settings of the checkpoint.
"""

from .. import plugin  # noqa: F401  (before anything of fairseq)
