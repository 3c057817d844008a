"""The states of all streams, and an iterator that saves them beside the place in the text."""

from typing import Any, Callable

import torch
from fairseq.data import iterators
from fairseq.distributed import utils as distributed_utils
from torch import Tensor

from ..errors import MemtxError
from ..memory import State, under
from .streams import StreamWindows


class StreamStates(dict[str, State | None]):
    """The state of the streams of every set, by name; they are kept nowhere else.

    Attributes:
        updates: that were made so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.updates = 0


class StreamIterator(iterators.EpochBatchIterator):
    """fairseq's iterator, which saves the streams' state beside the place in the text.

    The task changes the ``states`` in every step; ``windows`` makes those of an epoch that begins
    after so many updates.
    """

    dataset: StreamWindows

    def __init__(
        self,
        states: StreamStates,
        windows: Callable[[int], StreamWindows],
        **kwargs: Any,
    ) -> None:
        self.states, self.windows, self.updates = states, windows, states.updates
        self.of_workers: list[State | None] = []
        super().__init__(
            dataset=windows(self.updates),
            batch_sampler=lambda dataset, epoch: [[number] for number in range(len(dataset))],
            disable_shuffling=True,
            **kwargs,
        )

    def gather(self) -> None:
        """Send the state of this worker's streams to the first one, which writes the checkpoint.

        All workers call it, before a checkpoint is written and at no other time: a state with a
        cache is large. It may be none, or of another shape than the others', where a worker was out
        of memory. At the end of an epoch there is nothing to send, as the next begins with none.
        """
        state = None if self.end_of_epoch() else self.states.get("train")
        # Whole tensors: learned memory is the same vectors for all streams, which are not.
        mine = state and {name: part.cpu().contiguous() for name, part in state.items()}
        self.of_workers = [mine]
        workers = distributed_utils.get_data_parallel_world_size()
        if workers > 1:
            first = distributed_utils.get_data_parallel_rank() == 0
            self.of_workers = [None] * workers if first else []
            group = distributed_utils.get_data_parallel_group()
            torch.distributed.gather_object(mine, self.of_workers if first else None, 0, group)

    def state_dict(self) -> dict[str, Any]:
        """fairseq's, the state of every worker's streams, and what the place is counted in."""
        fairseqs = super().state_dict()
        place = fairseqs["iterations_in_epoch"]
        return {
            **fairseqs,
            "streams": self.of_workers,
            "updates": self.updates,
            "layout": self.dataset.layout,
            "window": self.dataset.windows[place][:2],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where the checkpoint was written, with the same layout.

        At the start of an epoch every state is empty, and any layout will do.
        """
        place, dataset = state_dict.get("iterations_in_epoch", 0), self.dataset
        if place:
            _compare(state_dict.get("layout", {}), dataset.layout)
            updates = state_dict.get("updates", 0)
            dataset = self.windows(updates)
            here = dataset.windows[place : place + 1]
            begins = state_dict.get("window")
            if not here or (begins and tuple(begins) != here[0][:2]):
                raise MemtxError(
                    f"the checkpoint was written in the middle of an epoch, after {place} windows "
                    "that were others: use the same --window-segments, --segment-curriculum and "
                    f"--update-freq, or {_ANEW}"
                )
            self._take_streams(state_dict.get("streams"))
            self.updates = updates
        self.dataset, self._frozen_batches = dataset, None
        super().load_state_dict(state_dict)

    def _take_streams(self, states: list[State | tuple | None] | None) -> None:
        mine = states[self.dataset.worker % len(states)] if states else None
        if not states or not mine:
            return  # of another task, or of a worker that was out of memory
        state = mine if isinstance(mine, dict) else _by_name(*mine)
        rows = next(map(len, state.values()), None)
        # What was written before checkpoints told their layout.
        found = {"workers": len(states), "streams": rows and rows * len(states)}
        _compare(found, self.dataset.layout)
        self.states["train"] = state


def _by_name(
    memory: Tensor | None = None, cache: Tensor | None = None, padding: Tensor | None = None
) -> State:
    """The state of checkpoints that had no names for it: all layers' cache, ``B x L x S x C``."""
    state = {} if memory is None else {"memory": memory}
    if cache is not None and padding is not None:
        for layer, rows in enumerate(cache.unbind(dim=1)):
            state.update(under(f"layers.{layer}", {"rows": rows, "visible": ~padding}))
    return state


_ANEW = "begin the data anew with --reset-dataloader"
_FLAGS = {
    "workers": "as many workers",
    "streams": "the same --batch-size",
    "segment_length": "the same --tokens-per-sample",
    "stride_segments": "the same --stride-segments",
    "documents": "--reset-memory-at-documents or not, as before",
    "text_length": "the same text",
}


def _compare(saved: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Refuse to go on in the middle of an epoch that is laid out in another way."""
    for name, advice in _FLAGS.items():
        if saved.get(name) is not None and saved[name] != wanted[name]:
            raise MemtxError(
                "the checkpoint was written in the middle of an epoch with "
                f"{name.replace('_', ' ')} {saved[name]} and this run has {wanted[name]}: use "
                f"{advice}, or {_ANEW}"
            )
