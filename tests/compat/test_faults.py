"""Every mend says where its fault is told of, knows whether it is there, and takes it away."""

import json
import re
from importlib import import_module

import pytest
from conftest import ROOT, run

from fairseq_memtx import compat

NAMES = [mend.__name__.rpartition(".")[2] for mend in compat.mends()]
OWNERS = "facebookresearch/fairseq|numpy/numpy|pytorch/pytorch"
THREAD = rf"https://github\.com/({OWNERS})/(issues|pull)/\d+"
NONE = rf"no thread found: [\w.]+ in [\w/]+\.py(; numpy: {THREAD})?"


@pytest.fixture(scope="module")
def asked() -> dict:
    """What a process says in which fairseq is mended in the middle."""
    result = run("faults.ask:main", cwd=ROOT)
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", NAMES)
def test_the_fault_is_there_until_it_is_mended(asked, name):
    assert (asked["before"][name], asked["after"][name]) == (True, False)


def test_all_are_known_to_be_there_and_then_not(asked):
    assert [(row["name"], row["needed"]) for row in asked["report"]] == [(n, True) for n in NAMES]
    assert asked["still"] == []


@pytest.mark.parametrize("name", NAMES)
def test_where_a_fault_is_told_of(name):
    """A thread, or that none was found and the function whose fault it is."""
    mend = import_module(f"fairseq_memtx.compat.{name}")
    assert re.fullmatch(f"{THREAD}|{NONE}", mend.UPSTREAM)
    assert mend.__doc__.split("\n")[0].endswith(".")


def test_what_was_found_is_still_told_once_it_is_mended():
    """`conftest` has mended this process."""
    assert [fault.name for fault in compat.report() if not fault.needed] == []
