"""The states of all streams, and an iterator that saves them beside the place in the text."""

from __future__ import annotations

from typing import Any, Callable

import torch
from fairseq.data import iterators
from fairseq.distributed import utils as distributed_utils

from ..errors import MemtxError
from ..memory import RecurrentState
from .streams import StreamWindows


class StreamStates(dict[str, RecurrentState]):
    """The state of the streams of every set, by name; they are kept nowhere else.

    Attributes:
        updates: that were made so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.updates = 0


class StreamIterator(iterators.EpochBatchIterator):
    """fairseq's iterator, which saves the streams' state beside the place in the text.

    Args:
        states: of the streams, which the task changes in every step.
        windows: makes the windows of an epoch that begins after so many updates.
        kwargs: of fairseq's iterator.
    """

    def __init__(
        self,
        states: StreamStates,
        windows: Callable[[int], StreamWindows],
        **kwargs: Any,
    ) -> None:
        self.states, self.windows, self.updates = states, windows, states.updates
        self.of_workers: list[tuple | None] = []
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
        mine = state and tuple(state.to("cpu"))
        self.of_workers = [mine]
        workers = distributed_utils.get_data_parallel_world_size()
        if workers > 1:
            first = distributed_utils.get_data_parallel_rank() == 0
            self.of_workers = [None] * workers if first else []
            group = distributed_utils.get_data_parallel_group()
            torch.distributed.gather_object(mine, self.of_workers if first else None, 0, group)

    def state_dict(self) -> dict[str, Any]:
        """fairseq's, the state of every worker's streams, and what the windows depend on."""
        updates = self.states.updates if self.end_of_epoch() else self.updates
        return {**super().state_dict(), "streams": self.of_workers, "updates": updates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where the checkpoint was written.

        Raises:
            MemtxError: if it has another number of workers or streams.
        """
        self.updates = state_dict.get("updates", 0)
        self.dataset, self._frozen_batches = self.windows(self.updates), None
        super().load_state_dict(state_dict)
        states = state_dict.get("streams")
        if not states or states[0] is None or self.iterations_in_epoch == 0:
            return  # of another task, or at the start of an epoch, where every state is empty
        state = RecurrentState(*states[self.dataset.worker % len(states)])
        saved = len(states), next((len(part) for part in state if part is not None), 0)
        wanted = self.dataset.workers, len(self.dataset.streams)
        if saved[0] != wanted[0] or saved[1] not in (0, wanted[1]):
            raise MemtxError(
                f"the checkpoint was written by {saved[0]} workers of {saved[1]} streams and this "
                f"is a run of {wanted[0]} workers of {wanted[1]}: use as many workers and the same "
                "--batch-size, or begin an epoch anew with --reset-dataloader"
            )
        self.states["train"] = state
