"""Where a training run begins: at the checkpoint asked for, or at the newest whole one."""

import shutil
import zipfile

import pytest
import torch
from conftest import fail, succeed, train_flags

from fairseq_memtx.checkpoints.first_checkpoint import newest_whole


def write(path, updates: int) -> None:
    """As much of a checkpoint as is looked at."""
    torch.save(
        {"optimizer_history": [{"num_updates": updates}], "model": {"w": torch.ones(999)}}, path
    )


@pytest.fixture
def folder(tmp_path):
    """What ``fairseq-train`` leaves there, and what others do."""
    names = {"1": 10, "2": 20, "_3_25": 25, "_best": 20, ".best_loss_2.5000": 20, "_last": 30}
    for name, updates in names.items():
        write(tmp_path / f"checkpoint{name}.pt", updates)
    for name in ("averaged.pt", "checkpoint9.pt.tmp", "checkpoint_last.old.pt", "checkpoint3-b.pt"):
        write(tmp_path / name, 99)
    return tmp_path


def tear(path, how: str) -> None:
    """Cut a file off, empty it, or flip a bit in its tensors."""
    whole = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        largest = archive.read(max(archive.infolist(), key=lambda part: part.file_size))
    whole[whole.index(largest) + len(largest) // 2] ^= 4
    path.write_bytes({"cut": whole[:-100], "empty": b"", "bit": whole}[how])


@pytest.mark.parametrize("how", ["cut", "empty", "bit"])
def test_the_newest_whole_checkpoint(folder, how):
    """By updates, and not by the time of its file or its name."""
    assert newest_whole(str(folder)) == str(folder / "checkpoint_3_25.pt")
    tear(folder / "checkpoint_3_25.pt", how)
    assert newest_whole(str(folder)) in {
        str(folder / f"checkpoint{name}.pt") for name in ("2", "_best", ".best_loss_2.5000")
    }
    for name in ("2", "_best", ".best_loss_2.5000"):
        tear(folder / f"checkpoint{name}.pt", how)
    assert newest_whole(str(folder)) == str(folder / "checkpoint1.pt")
    tear(folder / "checkpoint1.pt", how)
    assert newest_whole(str(folder)) is None
    assert newest_whole(str(folder), suffix="-b") == str(folder / "checkpoint3-b.pt")


pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def stopped(toy_data, tmp_path_factory):
    """A run of 6 updates, with checkpoints after the third and the last."""
    folder = tmp_path_factory.mktemp("stopped")
    succeed("fairseq-train", *train_flags(toy_data, folder, "--save-interval-updates", 3))
    return folder


@pytest.fixture
def save_dir(stopped, tmp_path):
    return shutil.copytree(stopped, tmp_path / "save")


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("how", ["cut", "bit"])
def test_a_torn_last_checkpoint(save_dir, toy_data, how):
    """Training goes on from the newest whole one, says so, and ends as if nothing had been."""
    expected = torch.load(save_dir / "checkpoint_last.pt", weights_only=True)["model"]
    whole = save_dir / "checkpoint_1_3.pt"
    for path in save_dir.iterdir():
        if path != whole:
            tear(path, how)
    output = succeed("fairseq-train", *train_flags(toy_data, save_dir))
    assert f"going on from {whole}, the newest whole checkpoint, since checkpoint" in output
    assert f"Loaded checkpoint {whole} (epoch 1 @ 3 updates)" in output
    model = torch.load(save_dir / "checkpoint_last.pt", weights_only=True)["model"]
    assert all(torch.equal(model[name], value) for name, value in expected.items())


def test_no_whole_checkpoint_is_no_fresh_start(save_dir, toy_data):
    for path in save_dir.glob("*.pt"):
        tear(path, "cut")
    before = contents(save_dir)
    line = fail("fairseq-train", *train_flags(toy_data, save_dir))
    assert "checkpoint_last.pt is" in line
    assert contents(save_dir) == before


@pytest.mark.parametrize(
    ("flag", "file", "says"),
    [
        ("--finetune-from-model", "", "there is no checkpoint {}, or it is no file"),
        ("--finetune-from-model", "/missing.pt", "there is no checkpoint {}: check --finetune"),
        ("--restore-file", "", "there is no checkpoint {}, or it is no file: check --restore-file"),
        ("--restore-file", "/missing.pt", "there is no checkpoint {}, or it is no file"),
        ("--restore-file", "/checkpoint_last.pt/x.pt", "there is no checkpoint {}"),
    ],
)
def test_a_checkpoint_that_is_asked_for_is_used_or_refused(
    stopped, toy_data, tmp_path, flag, file, says
):
    """Random weights in its place would look like success."""
    path = f"{stopped}{file}"
    line = fail("fairseq-train", *train_flags(toy_data, tmp_path / "new", flag, path))
    assert says.format(path) in line
    assert not list((tmp_path / "new").iterdir())


def test_one_that_is_torn_is_not_replaced_by_another(save_dir, toy_data):
    tear(save_dir / "checkpoint_best.pt", "cut")
    flags = ["--restore-file", save_dir / "checkpoint_best.pt"]
    line = fail("fairseq-train", *train_flags(toy_data, save_dir, *flags))
    assert "checkpoint_best.pt" in line


@pytest.mark.parametrize("command", ["fairseq-generate", "fairseq-validate"])
def test_a_folder_for_a_model(stopped, toy_data, command):
    flags = ["--user-dir", "fairseq_memtx", "--path", stopped, "--cpu", "--batch-size", 8]
    line = fail(command, toy_data, *flags, "--task", "translation")
    assert str(stopped) in line
    assert "folder" in line


def test_folders_that_cannot_be_written_to(toy_data, tmp_path):
    (tmp_path / "file").write_text("mine")
    for save_dir in (tmp_path / "file", tmp_path / "file/below"):
        line = fail("fairseq-train", *train_flags(toy_data, save_dir))
        assert "--save-dir cannot be written to" in line
        assert "Not a directory" in line
    assert (tmp_path / "file").read_text() == "mine"
