"""``scripts/benchmarks/own_process.py``: work whose memory is that of nobody else."""

from __future__ import annotations

import os

import pytest
from benchmarks import long_documents
from benchmarks.own_process import OwnProcess, in_own_process


class Pid:
    """Stands in for a model: a "step" that takes as many milliseconds as its process's number."""

    def __init__(self, *of_a_trainee: object) -> None:
        pass

    def step(self) -> float:
        return os.getpid() / 1000


def test_a_function_runs_in_a_process_of_its_own():
    assert in_own_process(os.getpid) != os.getpid()


def test_an_object_lives_between_calls_and_alone():
    with OwnProcess(list, "ab") as one, OwnProcess(list) as another:
        one.call("append", "c")
        assert one.call("copy") == ["a", "b", "c"]
        assert another.call("copy") == []


def test_errors_arrive_as_they_are():
    with pytest.raises(ValueError, match="invalid literal"):
        OwnProcess(int, "one")
    with OwnProcess(list) as empty, pytest.raises(IndexError, match="pop from empty list"):
        empty.call("pop")


def test_models_of_long_documents_are_timed_each_in_its_own_process_unless_asked(monkeypatch):
    monkeypatch.setattr(long_documents, "Trainee", Pid)
    times = long_documents.take_turns(["one", "other"], None, 8, 0.0, ("cpu", False), 2)
    assert len(times["one"]) == len(times["other"]) == 2
    assert len({*times["one"], *times["other"], os.getpid()}) == 3

    times = long_documents.take_turns(
        ["one", "other"], None, 8, 0.0, ("cpu", False), 2, one_process=True
    )
    assert times == {"one": [os.getpid()] * 2, "other": [os.getpid()] * 2}
