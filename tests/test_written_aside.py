"""What commands write is whole under its name, or not there."""

import resource
from pathlib import Path

import pytest
import torch

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.written_aside import folder_aside, written_aside


def test_all_get_their_names_at_the_end(tmp_path):
    paths = [tmp_path / "new folder/a.pt", tmp_path / "b.txt"]
    paths[1].write_text("old")
    with written_aside(*paths) as partials:
        torch.save({"a": 1}, partials[0])
        partials[1].write_text("new")
        assert not paths[0].exists()
        assert paths[1].read_text() == "old"
    assert torch.load(paths[0], weights_only=True) == {"a": 1}
    assert paths[1].read_text() == "new"
    assert len(list(tmp_path.rglob("*.p*"))) == 1


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), RuntimeError("bad")])
def test_an_error_leaves_what_was_there(tmp_path, error):
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    paths[0].write_text("old")

    def fail() -> None:
        with written_aside(*paths) as partials:
            for partial in partials:
                partial.write_text("new")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "old"}


def test_places_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file/below.txt", tmp_path / "folder"):
        with (
            pytest.raises(MemtxError, match=f"{path} cannot be written: "),
            written_aside(tmp_path / "first.txt", path) as partials,
        ):
            partials[0].write_text("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_full_disk(tmp_path):
    """Torch says in its own words that a file cannot be longer."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
    try:
        for write in (
            lambda path: torch.save(torch.ones(9999), path),
            lambda path: path.write_bytes(b"1" * 9999),
        ):
            with (
                pytest.raises(MemtxError, match=r"a.pt cannot be written: "),
                written_aside(tmp_path / "a.pt") as (partial,),
            ):
                write(partial)
            assert not list(tmp_path.iterdir())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt()])
def test_a_folder_is_whole_or_not_there(tmp_path, error, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("made")
    (tmp_path / "made.partial").mkdir()
    (tmp_path / "made.partial/left over").touch()

    def fail() -> None:
        with folder_aside(folder) as partial:
            (partial / "new").touch()
            raise error

    with pytest.raises(type(error)):
        fail()
    assert not list(tmp_path.iterdir())
    with folder_aside(folder) as partial:
        (partial / "new").touch()
        assert not folder.exists()
    assert [path.name for path in tmp_path.rglob("*")] == ["made", "new"]
