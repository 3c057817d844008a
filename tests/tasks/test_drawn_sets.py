"""What tasks that draw their examples have in common."""

from argparse import Namespace

import pytest

from fairseq_memtx.tasks.drawn_sets import DrawnLanguageTask


@pytest.mark.parametrize(
    ("split", "size"), [("train", 3), ("valid", 2), ("valid1", 2), ("test", 1), ("test_long", 1)]
)
def test_sizes_are_those_of_the_flags(split, size):
    task = DrawnLanguageTask(Namespace(train_size=3, valid_size=2, test_size=1))
    assert task.size_of(split) == size
    assert task.has_sharded_data(split), "fairseq loads it anew for every epoch"


def test_both_sides_have_one_dictionary():
    task = DrawnLanguageTask(Namespace())
    task.dictionary = object()
    assert task.source_dictionary is task.target_dictionary is task.dictionary
