"""No row is left out of the batches of a set."""

import numpy as np
import pytest
from fairseq.data import data_utils
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_memtx import compat

compat.mend_fairseq()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=50),
    st.one_of(st.none(), st.integers(30, 90)),
    st.one_of(st.none(), st.integers(1, 20)),
    st.sampled_from([1, 2, 8]),
)
def test_every_row_is_in_one_batch(sizes, max_tokens, max_sentences, multiple):
    sizes = np.array(sizes)
    indices = np.random.default_rng(1).permutation(len(sizes))
    batches = data_utils.batch_by_size(
        indices, lambda index: sizes[index], sizes[indices], max_tokens, max_sentences, multiple
    )
    assert [index for batch in batches for index in batch] == indices.tolist()
    for batch in batches:
        assert len(batch) % multiple == 0 or len(batch) < multiple
        assert len(batch) <= (max_sentences or 99)
        assert len(batch) * sizes[batch].max() <= (max_tokens or 9999)


@pytest.mark.parametrize("indices", [range(3), np.arange(3), iter([0, 1, 2])])
def test_a_small_set_has_a_batch(indices):
    """Fairseq alone makes none of it."""
    (batch,) = data_utils.batch_by_size(indices, lambda index: 5, required_batch_size_multiple=8)
    assert list(batch) == [0, 1, 2]
