"""Who sees whom inside a segment."""

import pytest
import torch

from fairseq_memtx.memory import MemoryTokens, SegmentLoop, segment_mask


def text(mask: torch.Tensor) -> list[str]:
    return ["".join(str(int(hidden)) for hidden in row) for row in mask]


def test_mask_of_the_published_code():
    """Two memory tokens, three words: read rows, words, write rows."""
    assert text(segment_mask(2, 3)) == [
        "0011111", "0011111", "0001111", "0000111", "0000011", "0000000", "0000000",
    ]  # fmt: skip
    assert text(segment_mask(1, 2)) == ["0111", "0011", "0001", "0000"]


@pytest.mark.parametrize(("reads", "of_memory"), [(False, "1111"), (True, "0000")])
def test_cache(reads, of_memory):
    loop = SegmentLoop(
        lambda *arguments: arguments, 3, MemoryTokens(2, 1), memory_reads_cache=reads
    )
    segment = loop.segment(torch.ones(1, 7, dtype=torch.bool), 3, 0, last=True)
    mask = text(segment.hidden_with(torch.ones(1, 4, dtype=torch.bool))[0, 0])
    assert [row[:4] for row in mask] == [of_memory] * 2 + ["0000"] * 3 + [of_memory] * 2
    assert [row[4:] for row in mask] == text(segment_mask(2, 3))


def test_memory_at_the_start_only():
    assert torch.equal(segment_mask(2, 3, write=False), segment_mask(2, 3)[:5, :5])


def test_memory_at_the_end_only():
    assert torch.equal(segment_mask(2, 3, read=False), segment_mask(2, 3)[2:, 2:])
    loop = SegmentLoop(lambda *arguments: arguments, 3, MemoryTokens(2, 1), reads=False)
    segment = loop.segment(torch.ones(1, 5, dtype=torch.bool), 3, 0, last=True)
    assert segment.blind.tolist() == [False] * 3 + [True] * 2
    assert (segment.write, segment.longest) == (slice(3, 5), 5)


def test_causal_memory_sees_what_came_before_it():
    assert torch.equal(segment_mask(2, 3, causal=True), torch.ones(7, 7).triu(1).bool())


def test_no_memory_is_a_causal_mask():
    assert torch.equal(segment_mask(0, 4), torch.ones(4, 4).triu(1).bool())


@pytest.mark.parametrize(("m", "n"), [(1, 1), (2, 3), (5, 4)])
def test_allowed_pairs(m, n):
    assert (~segment_mask(m, n)).sum() == m * m + n * m + n * (n + 1) // 2 + m * (2 * m + n)
