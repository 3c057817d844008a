"""Commands are quiet: nothing that is said to developers of fairseq; all else, and all if asked."""

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from conftest import ROOT, train_flags

from fairseq_memtx import quiet

NOISE = re.compile(r"Warning:|deprecat|Setting JobRuntime|install tensorboardX", re.IGNORECASE)


@pytest.fixture
def filters(monkeypatch):
    """Python's own filters, those of a program that nobody gave options, and ours."""
    monkeypatch.setattr("sys.warnoptions", [])
    with warnings.catch_warnings():
        warnings.resetwarnings()
        quiet.be_quiet()
        yield


def shown(message: str, kind: type[Warning] = UserWarning) -> bool:
    with warnings.catch_warnings(record=True) as told:
        warnings.warn(message, kind, stacklevel=1)
    return bool(told)


def test_what_is_left_out(filters):
    assert not shown("anything", FutureWarning)
    assert not shown("anything", DeprecationWarning)
    assert not shown("\n'config' is validated ...\nThis behavior is deprecated in Hydra 1.1")
    assert not shown("hydra.experimental.compose() is no longer experimental. Use hydra.compose()")


def test_what_is_about_the_run_is_shown(filters):
    assert shown("This DataLoader will create 8 worker processes in total, more than advised")
    assert shown("anything of ours")
    assert shown("the gradient is not finite", RuntimeWarning)


def test_who_asked_for_warnings_gets_them(monkeypatch):
    monkeypatch.setattr("sys.warnoptions", ["default"])
    with warnings.catch_warnings():
        warnings.resetwarnings()
        quiet.be_quiet()
        assert shown("anything", FutureWarning)
        assert shown("This behavior is deprecated")


def test_filters_of_the_program_come_first(filters):
    warnings.simplefilter("always", FutureWarning)
    assert shown("anything", FutureWarning)


@pytest.mark.training
def test_commands_of_fairseq(toy_data, trained, tmp_path):
    """In processes of their own, since those of other tests get their options from pytest."""

    def told(command: str, *arguments: object, **asked: str) -> str:
        env = {key: value for key, value in os.environ.items() if key != "PYTHONWARNINGS"}
        result = subprocess.run(
            [Path(sys.executable).with_name(command), *map(str, arguments)],
            cwd=ROOT, env={**env, **asked}, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr[-2000:]
        return result.stdout + result.stderr

    training = train_flags(toy_data, tmp_path, "--max-update", 1)
    assert not NOISE.search(told("fairseq-train", *training))
    path = ["--user-dir", "fairseq_memtx", "--cpu", "--path", trained / "checkpoint_last.pt"]
    assert not NOISE.search(told("fairseq-generate", toy_data, *path))
    assert NOISE.search(told("fairseq-generate", toy_data, *path, PYTHONWARNINGS="default"))
