"""Binarised text is looked at before it is read, which fairseq does not do."""

import functools

from fairseq.data import indexed_dataset

from . import says

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/5543"


def needed() -> bool:
    return says(indexed_dataset.make_dataset, "MMapIndexedDataset")


def mend() -> None:
    """Put `check_set` in front of the one function by which fairseq opens binarised text."""
    from ..data.binarised_text import check_set

    unchecked = indexed_dataset.make_dataset

    @functools.wraps(unchecked)
    def make_dataset(path, impl, fix_lua_indexing=False, dictionary=None):
        check_set(path, impl, None if dictionary is None else len(dictionary))
        return unchecked(path, impl, fix_lua_indexing, dictionary)

    indexed_dataset.make_dataset = make_dataset
