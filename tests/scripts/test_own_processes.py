"""Work in processes of its own, whose memory is that of nobody else (``scripts/benchmarks``)."""

import os
import subprocess
import sys
from typing import NamedTuple

import pytest
from benchmarks.own_processes import in_own_process, new_process, times_of


class Pid(NamedTuple):
    """Stands in for a model: a step takes as many milliseconds as its process's number."""

    name: str

    def step(self) -> float:
        return os.getpid()

    def fail(self) -> None:
        raise ValueError(f"{self.name} is invalid")


def test_a_function_runs_in_a_process_of_its_own():
    assert in_own_process(os.getpid) != os.getpid()


def test_all_that_is_submitted_runs_in_one_process():
    with new_process() as one, new_process() as another:
        numbers = [process.submit(os.getpid).result() for process in (one, another, one)]
    assert numbers[0] == numbers[2] != numbers[1]


def test_errors_arrive_as_they_are():
    with pytest.raises(ValueError, match="one is invalid"):
        in_own_process(Pid("one").fail)


def test_models_of_long_documents_are_timed_each_in_its_own_process_unless_asked():
    trainings = {name: Pid(name) for name in ("one", "other")}
    times = times_of(trainings, 2)
    assert len(times["one"]) == len(times["other"]) == 2
    assert len({*times["one"], *times["other"], os.getpid()}) == 3
    times = times_of(trainings, 2, one_process=True)
    assert times == {"one": [os.getpid()] * 2, "other": [os.getpid()] * 2}


HELD_BEFORE = """
import torch
from benchmarks.peak_memory import Peak
before = torch.ones(2**18)
with Peak("cpu") as peak:
    held = torch.ones(80 * 2**18)  # 80 MiB
print(peak.mebibytes)
"""


def test_what_was_held_before_does_not_count():
    """In a process of its own: earlier tests of this one may have freed more than 80 MiB."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HELD_BEFORE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert 75 < float(done.stdout) < 110
