"""Threads that read ahead end with what they read for, and Python ends after them."""

import os
import subprocess
import sys
import threading
import time

import pytest
from conftest import ROOT
from fairseq.data.iterators import BufferedIterator

import fairseq_memtx.plugin  # noqa: F401
from fairseq_memtx.compat import reading_threads

# Python waits long enough before it ends for a thread that is cut off to come back from torch.
BUSY = """
import sys, time, torch
from fairseq.data.iterators import BufferedIterator
if sys.argv[1:]:
    import fairseq_memtx.plugin
class Batches:
    def __len__(self): return 1000
    def __iter__(self):
        while True:
            for _ in range(1000): torch.ones(1000) + 1
            yield 1
class Late:
    def __del__(self): time.sleep(0.2)
batches = BufferedIterator(1000, Batches())
next(batches)
sys.late = Late()
"""


class Slow:
    """Items that take a while, and whether one is being made."""

    busy = False

    def __len__(self):
        return 1000

    def __iter__(self):
        for item in range(1000):
            self.busy = True
            time.sleep(0.01)
            self.busy = False
            yield item


@pytest.mark.parametrize("size", [1, 1000])
def test_a_thread_ends_with_its_iterator(size):
    """Also one that waits for room; and not in the middle of an item."""
    slow = Slow()
    iterator = BufferedIterator(size, slow)
    assert [next(iterator) for _ in range(3)] == [0, 1, 2]
    thread = iterator._consumer
    del iterator
    assert not thread.is_alive()
    assert not slow.busy


def test_a_thread_that_does_not_end_is_left(monkeypatch):
    monkeypatch.setattr(reading_threads, "PATIENCE", 0.1)
    stuck, begin = threading.Event(), time.monotonic()

    def items():
        yield 1
        stuck.wait()

    class Items(list):
        __iter__ = staticmethod(items)

    iterator = BufferedIterator(10, Items([1]))
    iterator.total = 2
    next(iterator)
    thread = iterator._consumer
    del iterator
    assert thread.is_alive()
    assert time.monotonic() - begin < 5
    stuck.set()
    thread.join(5)
    assert not thread.is_alive()


def test_all_items_are_read():
    iterator = BufferedIterator(3, list(range(20)))
    assert list(iterator) == [*range(20)]
    assert not iterator._consumer.is_alive()


def test_python_ends_while_a_batch_is_being_made():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "ignore", "-c", BUSY, "mended"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (0, "")
