"""Streams: every token once, in order, whatever the windows."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_memtx.data.streams import StreamGroups, StreamWindows, Text, plan_windows
from fairseq_memtx.errors import MemtxError

PAD, EOS = 1, 2


def make_text(sizes: list[int]) -> tuple[Text, torch.Tensor]:
    """Sentences of ``sizes`` tokens; every token but the ends of sentences is another one."""
    numbers = iter(range(10, 10_000))
    sentences = [torch.tensor([next(numbers) for _ in range(n - 1)] + [EOS]) for n in sizes]
    return Text(sentences, np.array(sizes)), torch.cat(sentences)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), st.data())
def test_reading_a_text(sizes, data):
    text, tokens = make_text(sizes)
    start = data.draw(st.integers(0, len(tokens)))
    end = data.draw(st.integers(start, len(tokens)))
    assert len(text) == len(tokens)
    assert torch.equal(text.read(start, end), tokens[start:end])


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 7), min_size=6, max_size=20),
    length=st.integers(1, 5),
    streams=st.integers(1, 3),
    window=st.integers(1, 4),
    stride=st.integers(1, 4),
    documents=st.booleans(),
)
def test_every_token_is_predicted_once_from_what_stands_before_it(
    sizes, length, streams, window, stride, documents
):
    text, tokens = make_text(sizes)
    stride = min(window, stride)
    if len(tokens) < length * streams:
        return
    windows = StreamWindows(
        text, length, streams, 0, 1, lambda number: window, stride, documents, pad=PAD, eos=EOS
    )
    predicted, count, begin = [[] for _ in range(streams)], 0, 0
    everything = tokens.tolist()
    previous = dict(zip(everything, [EOS, *everything]))
    for index in range(len(windows)):
        batch = windows[index]
        source, target = batch["net_input"]["src_tokens"], batch["target"]
        warm_up = batch["net_input"]["warm_up"]
        assert warm_up == index * stride - begin, "a window begins where the state was kept"
        assert batch["window"] == index
        begin += batch["advance"]
        read = source[:, warm_up * length :]
        assert read.shape == target.shape
        assert torch.equal(read.eq(PAD), target.eq(PAD))
        for before, token in zip(read[target.ne(PAD)].tolist(), target[target.ne(PAD)].tolist()):
            assert token == EOS or previous[token] == before
        for stream, row in enumerate(target):
            predicted[stream] += row[row.ne(PAD)].tolist()
        count += batch["ntokens"]
    assert [token for stream in predicted for token in stream] == everything
    assert count == len(tokens)


def test_the_window_reads_earlier_segments_again():
    text, tokens = make_text([12])
    windows = StreamWindows(
        text, 2, 1, window_segments=lambda number: 3, stride_segments=1, pad=PAD, eos=EOS
    )
    shifted = torch.cat([torch.tensor([EOS]), tokens])[:-1]
    assert len(windows) == 6
    assert torch.equal(windows[4]["net_input"]["src_tokens"][0], shifted[4:10])
    assert torch.equal(windows[4]["target"][0], tokens[8:10])
    assert [windows[index]["advance"] for index in range(6)] == [0, 0, 1, 1, 1, 3]


def test_windows_that_grow_and_shrink():
    """The first segment of a window never lies before the one that the state was kept for."""
    sizes = [1, 1, 2, 2, 4, 1, 1]
    windows = plan_windows(9, lambda number: sizes[min(number, 6)], 1)
    assert [window.first for window in windows] == [0, 1, 1, 2, 2, 5, 6, 7, 8]
    assert [window.scored for window in windows] == list(range(9))
    whole = plan_windows(9, lambda number: sizes[min(number, 6)])
    assert whole == [(0, 0, 1), (1, 1, 2), (2, 2, 4), (4, 4, 6), (6, 6, 9)]


def test_documents_begin_segments_and_reset():
    text, _ = make_text([3, 1, 5, 1, 2])
    windows = StreamWindows(text, 4, 1, cut_at_documents=True, pad=PAD, eos=EOS)
    sources = [windows[index]["net_input"] for index in range(len(windows))]
    resets = [bool(net["resets"][0, 0]) for net in sources]
    assert resets == [True, True, False, True]  # 4 tokens; 6 tokens in two segments; 2 tokens
    starts = [int(net["src_tokens"][0, 0]) for net, reset in zip(sources, resets) if reset]
    assert starts == [EOS] * 3


def test_workers_share_the_streams():
    text, _ = make_text([24])
    alone = StreamWindows(text, 2, 4, pad=PAD, eos=EOS)
    workers = [StreamWindows(text, 2, 4, worker, 2, pad=PAD, eos=EOS) for worker in range(2)]
    for index in range(len(alone)):
        together = torch.cat([worker[index]["target"] for worker in workers])
        assert torch.equal(together, alone[index]["target"])


def test_too_many_streams():
    text, _ = make_text([9])
    with pytest.raises(
        MemtxError, match="3 segments of 3 and cannot fill 4 streams: use a smaller"
    ):
        StreamWindows(text, 3, 4)


def test_groups_of_streams_are_all_streams():
    """Group after group, each from its beginning; streams that nobody has are empty."""
    text = Text([torch.arange(4, 4 + 21)], np.array([21]))
    windows = StreamWindows(text, segment_length=2, streams=5, worker=1, workers=2)
    groups = StreamGroups(windows, size=2)
    assert len(groups) == 2 * len(windows) == 2 * 3
    batches = [groups[index] for index in range(len(groups))]
    assert [(b["group"], b["window"], len(b["target"])) for b in batches] == [
        (0, 0, 2), (0, 1, 2), (0, 2, 2), (1, 0, 1), (1, 1, 1), (1, 2, 1),
    ]  # fmt: skip
    together = torch.cat([b["target"] for b in batches[:3]], dim=1)
    assert together.tolist() == [[18, 19, 20, 21, 1, 1], [22, 23, 24, 1, 1, 1]]
    assert all(b["target"].eq(1).all() and b["ntokens"] == 0 for b in batches[3:])
