"""The place in a text: where a run goes on, and when it must not."""

from operator import itemgetter

import pytest
import torch
from test_streams import EOS, PAD, make_text

from fairseq_memtx.data.stream_iterator import StreamIterator, StreamStates
from fairseq_memtx.data.streams import StreamWindows
from fairseq_memtx.errors import MemtxError


def make(
    length=2,
    streams=2,
    window=1,
    stride=0,
    words=40,
    sentences=None,
    documents=False,
    updates=0,
    worker=0,
    workers=1,
    **more,
) -> StreamIterator:
    """An iterator over a text; ``window`` may depend on the number of updates."""
    states = StreamStates()
    states.updates = updates
    sizes = window if callable(window) else lambda update: window
    return StreamIterator(
        states,
        lambda begun: StreamWindows(
            make_text(sentences or [4] * (words // 4))[0],
            length,
            streams,
            worker,
            workers,
            window_segments=lambda number: sizes(begun + number),
            stride_segments=stride,
            cut_at_documents=documents,
            pad=PAD,
            eos=EOS,
        ),
        collate_fn=itemgetter(0),
        **more,
    )


def stopped(place: int = 3, **layout) -> dict:
    """What a run saves after ``place`` windows."""
    iterator = make(**layout)
    batches = iterator.next_epoch_itr(shuffle=False)
    for _ in range(place):
        next(batches)
    rows = layout.get("streams", 2)
    iterator.states["train"] = {"memory": torch.ones(rows, 1, 4)}
    iterator.gather()
    return iterator.state_dict()


def targets(batches) -> list[list]:
    return [batch["target"].tolist() for batch in batches]


@pytest.mark.parametrize(
    "layout", [{}, {"window": 3, "stride": 1}, {"window": lambda n: 1 + n // 2}]
)
def test_goes_on_with_the_next_window(layout):
    whole = targets(make(**layout).next_epoch_itr(shuffle=False))
    resumed = make(**layout)
    resumed.load_state_dict(stopped(**layout))
    assert targets(resumed.next_epoch_itr(shuffle=False)) == whole[3:]
    assert torch.equal(resumed.states["train"]["memory"], torch.ones(2, 1, 4))


def test_documents_begin_where_they_do_without_a_stop():
    """An empty sentence ends one; streams begin anew there, and nowhere because of the stop."""
    layout = {"documents": True, "sentences": [4, 3, 1, 5, 4, 1, 2, 1, 7, 4, 4, 1, 6, 3]}
    whole, resumed = make(**layout), make(**layout)
    resumed.load_state_dict(stopped(**layout))
    expected, found = (
        [batch["net_input"]["resets"].tolist() for batch in iterator.next_epoch_itr(shuffle=False)]
        for iterator in (whole, resumed)
    )
    assert found == expected[3:]
    assert [[False], [False]] in found
    assert any([True] in row for row in found)
    assert torch.equal(resumed.states["train"]["memory"], torch.ones(2, 1, 4))


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"streams": 3}, "streams 2 and this run has 3: use the same --batch-size"),
        ({"streams": 1}, "streams 2 and this run has 1: use the same --batch-size"),
        ({"streams": 9}, "streams 2 and this run has 9: use the same --batch-size"),
        ({"length": 3}, "segment length 2 and this run has 3: use the same --tokens-per-sample"),
        ({"length": 1}, "segment length 2 and this run has 1: use the same --tokens-per-sample"),
        ({"window": 2, "stride": 1}, "stride segments 0 and this run has 1: use the same --stride"),
        ({"workers": 2}, "workers 1 and this run has 2: use as many workers"),
        ({"words": 44}, "text length 40 and this run has 44: use the same text"),
        ({"words": 20}, "text length 40 and this run has 20: use the same text"),
        ({"documents": True}, "documents False and this run has True: use --reset-memory-at-doc"),
        ({"window": 2}, "after 3 windows that were others: use the same --window-segments"),
        ({"window": 9}, "after 3 windows that were others: use the same --window-segments"),
        ({"window": lambda n: 1 + (n > 1)}, "windows that were others"),
    ],
)
@pytest.mark.parametrize("memory", [True, False], ids=["memory", "no memory"])
def test_another_layout_is_refused_before_anything_is_moved(other, says, memory):
    """A model without memory or cache has no state whose shape would tell."""
    saved = stopped()
    if not memory:
        saved["streams"] = [{}]
    iterator = make(**other)
    before = iterator.dataset, iterator.epoch
    with pytest.raises(MemtxError, match=says) as error:
        iterator.load_state_dict(saved)
    assert str(error.value).endswith("or begin the data anew with --reset-dataloader")
    assert "\n" not in str(error.value)
    assert (iterator.dataset, iterator.epoch) == before
    assert not iterator.states


def test_every_worker_goes_on_with_its_own_streams():
    saved = stopped(streams=6, workers=3)
    states = [{"memory": torch.full((2, 1, 4), float(worker))} for worker in range(3)]
    saved["streams"] = list(states)
    for worker, state in enumerate(states):
        resumed = make(streams=6, worker=worker, workers=3)
        resumed.load_state_dict(saved)
        assert torch.equal(resumed.states["train"]["memory"], state["memory"])
    saved["streams"][1] = None  # a worker that was out of memory begins with none
    resumed = make(streams=6, worker=1, workers=3)
    resumed.load_state_dict(saved)
    assert not resumed.states


def test_windows_may_change_later_than_here():
    """A curriculum may get further stages while it runs."""
    resumed = make(window=lambda update: 1 if update < 3 else 4)
    resumed.load_state_dict(stopped())
    rest = list(resumed.next_epoch_itr(shuffle=False))
    assert rest[0]["window"] == 3
    assert rest[0]["target"].shape == (2, 8)


def test_any_layout_will_do_at_the_start_of_an_epoch():
    saved = stopped(place=10)  # all of it
    assert saved["epoch"] == 2
    assert saved["streams"] == [None], "no state is sent and saved that nobody goes on with"
    iterator = make(length=3, streams=3, words=44, window=2)
    iterator.load_state_dict(saved)
    batches = iterator.next_epoch_itr(shuffle=False)
    assert iterator.epoch == 2
    assert next(batches)["window"] == 0
    assert not iterator.states


def test_the_curriculum_of_an_epoch_is_that_of_its_first_update():
    """Where the data begin anew, the number of updates is the trainer's and not the data's."""

    def growing(update: int) -> int:
        return 1 if update < 12 else 2

    saved = stopped(place=2, window=growing, updates=11)
    resumed = make(window=growing, updates=13)  # as the trainer tells
    assert resumed.first_batch["target"].size(1) == 4  # it asks for one before it loads
    resumed.load_state_dict(saved)
    sizes = [batch["target"].size(1) // 2 for batch in resumed.next_epoch_itr(shuffle=False)]
    assert sizes == [2, 2, 2, 1], "one window of one segment was read, and one of two"
    assert resumed.state_dict()["updates"] == 11
    saved = stopped(place=6, window=growing, updates=11)
    assert saved["iterations_in_epoch"] == 0
    following = make(window=growing, updates=17)
    following.load_state_dict(saved)
    assert next(following.next_epoch_itr(shuffle=False))["target"].size(1) == 4


def test_checkpoints_from_before_they_told_their_layout():
    saved = stopped()
    for name in ("layout", "window"):
        del saved[name]
    resumed = make()
    resumed.load_state_dict(saved)
    assert next(resumed.next_epoch_itr(shuffle=False))["window"] == 3
    other = make(streams=3)
    with pytest.raises(MemtxError, match="streams 2 and this run has 3"):
        other.load_state_dict(saved)
    assert not other.states


def test_states_of_checkpoints_get_their_names():
    """Of before they had some; where a part is missing there was none."""
    memory, cache = torch.ones(2, 1, 4), torch.arange(48.0).view(2, 3, 2, 4)
    padding = torch.tensor([[True, False], [False, False]])
    for parts, names in [
        ((memory, cache, padding), 7),
        ((memory, None, None), 1),
        ((None, cache, padding), 6),
        ((None, None, None), 0),
        ((memory,), 1),
    ]:
        saved, resumed = {**stopped(), "streams": [parts]}, make()
        resumed.load_state_dict(saved)
        state = resumed.states["train"]
        assert len(state) == names
        if names == 7:
            assert torch.equal(state["layers.2.rows"], cache[:, 2])
            assert torch.equal(state["layers.1.visible"], ~padding)


def test_a_state_is_saved_with_whole_tensors():
    """Learned memory is one vector for all streams, and a checkpoint is refused that says so."""
    iterator = make()
    next(iterator.next_epoch_itr(shuffle=False))
    iterator.states["train"] = {"memory": torch.ones(1, 1, 4).expand(2, -1, -1)}
    iterator.gather()
    (state,) = iterator.state_dict()["streams"]
    assert state["memory"].is_contiguous()
    assert state["memory"].untyped_storage().nbytes() == 2 * 4 * 4
