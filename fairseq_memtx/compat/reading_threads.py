"""Threads that read ahead live no longer than what they read for."""

import contextlib
import queue
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

from . import around

UPSTREAM = "https://github.com/pytorch/pytorch/issues/38228"
PATIENCE = 10.0  # seconds for the batch that a thread is making


@around("fairseq.data.iterators:BufferedIterator._create_consumer", told_by="BackgroundConsumer")
def mend(unmended: Any, iterator: Any) -> None:
    """End the thread with its iterator, which is when Python ends at the latest.

    fairseq lets Python cut it off. In the middle of a batch, where torch is at work, that aborts
    the process ("terminate called without an active exception"): a training that was done and
    saved was reported as one that crashed. And where an iterator was left before its end
    (``--max-valid-steps``), its thread and the batches it had read stayed for good.
    """
    iterable = iterator._iterable
    iterator._iterable = _UntilTheEnd(iterable)
    unmended(iterator)
    iterator._iterable = iterable
    weakref.finalize(iterator, _end, iterator._consumer)


class _UntilTheEnd:
    """Items of an iterable, until the event `end` happens."""

    def __init__(self, iterable: Iterable[Any]) -> None:
        self.iterable, self.end = iterable, threading.Event()

    # Not a generator itself: the thread keeps this, and with it would keep a loader's processes.
    def __iter__(self) -> Iterator[Any]:
        for item in self.iterable:
            yield item
            if self.end.is_set():
                return


def _end(thread: Any) -> None:
    """Wait for the batch it is making; what it has read nobody will ask for."""
    thread._source.end.set()
    if thread is threading.current_thread():  # where the garbage was collected
        return
    deadline = time.monotonic() + PATIENCE
    while thread.is_alive() and time.monotonic() < deadline:
        with contextlib.suppress(queue.Empty):  # it may be waiting for room
            thread._queue.get_nowait()
        thread.join(0.01)
