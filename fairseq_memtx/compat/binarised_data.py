"""Binarised text is looked at before it is read, which fairseq does not do."""

from typing import Any

from . import around

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/5543"


@around("fairseq.data.indexed_dataset:make_dataset", told_by="MMapIndexedDataset")
def mend(
    unchecked: Any, path: str, impl: str, fix_lua_indexing: bool = False, dictionary: Any = None
) -> Any:
    """Put `check_set` in front of the one function by which fairseq opens binarised text."""
    from ..data.binarised_text import check_set

    check_set(path, impl, None if dictionary is None else len(dictionary))
    return unchecked(path, impl, fix_lua_indexing, dictionary)
