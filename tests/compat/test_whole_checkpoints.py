"""A checkpoint is whole under its name, or what was there before is still there."""

import multiprocessing
import resource
import time
from contextlib import contextmanager

import pytest
import torch
from fairseq import checkpoint_utils
from fairseq.file_io import PathManager

import fairseq_memtx.models  # noqa: F401
from fairseq_memtx.compat import whole_checkpoints
from fairseq_memtx.errors import MemtxError

OLD, NEW = {"weights": torch.zeros(10)}, {"weights": torch.ones(50_000)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two checkpoints from before; nothing waits between two tries."""
    monkeypatch.setattr(whole_checkpoints, "PAUSE", 0)
    for name in ("checkpoint_last.pt", "checkpoint1.pt"):
        torch.save(OLD, tmp_path / name)
    torch.save(NEW, tmp_path / "new.pt")
    return tmp_path


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def write(folder, how: str) -> None:
    """As fairseq writes the first of a set of checkpoints, and the others."""
    if how == "save":
        checkpoint_utils.torch_persistent_save(NEW, str(folder / "checkpoint1.pt"))
    else:
        new, last = str(folder / "new.pt"), str(folder / "checkpoint_last.pt")
        assert PathManager.copy(new, last, overwrite=True)


@contextmanager
def full_disk(size: int):
    """No file may be longer than so many bytes; the system tells it as it tells a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:  # before pytest goes on, whose output may be in a file too
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("how", ["save", "copy"])
def test_writing_replaces_what_was_there(folder, how):
    write(folder, how)
    name = "checkpoint1.pt" if how == "save" else "checkpoint_last.pt"
    assert torch.equal(torch.load(folder / name)["weights"], NEW["weights"])
    assert set(contents(folder)) == {"checkpoint1.pt", "checkpoint_last.pt", "new.pt"}


@pytest.mark.parametrize("how", ["save", "copy"])
@pytest.mark.parametrize("size", [0, 100, 150_000])
def test_a_full_disk_leaves_earlier_checkpoints_and_nothing_half_written(folder, how, size):
    before = contents(folder)
    says = r"could not be written \(File too large\), earlier ones"
    with pytest.raises(MemtxError, match=says), full_disk(size):
        write(folder, how)
    assert contents(folder) == before


def test_a_second_try_begins_a_new_file(folder, monkeypatch):
    """Storage that is away for a moment must not leave the rest of a first try in the file."""
    save, calls = torch.save, []

    def fails_once(state, file):
        calls.append(file)
        if len(calls) == 1:
            file.write(b"torn")
            raise OSError(5, "Input/output error")
        save(state, file)

    monkeypatch.setattr(checkpoint_utils.torch, "save", fails_once)
    write(folder, "save")
    assert len(calls) == 2
    assert torch.equal(torch.load(folder / "checkpoint1.pt")["weights"], NEW["weights"])


def write_for_ever(folder) -> None:
    state = {"weights": torch.ones(2_000_000)}
    first, last = str(folder / "checkpoint1.pt"), str(folder / "checkpoint_last.pt")
    while True:
        checkpoint_utils.torch_persistent_save(state, first)
        PathManager.copy(first, last, overwrite=True)


def test_killed_at_any_moment_of_writing(tmp_path):
    """A process that does nothing else, killed 25 times."""
    for kill in range(25):
        process = multiprocessing.get_context("fork").Process(
            target=write_for_ever, args=(tmp_path,)
        )
        process.start()
        while not (tmp_path / "checkpoint_last.pt").exists():
            time.sleep(0.01)
        time.sleep(0.05 + 0.003 * kill)
        process.kill()
        process.join()
        for name in ("checkpoint1.pt", "checkpoint_last.pt"):
            assert torch.load(tmp_path / name)["weights"].sum() == 2_000_000
