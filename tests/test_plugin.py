"""How the package is imported: alone, by fairseq from any folder, by hand, under two names."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, fail, run

PACKAGE = ROOT / "fairseq_memtx"
OTHERS = {"fairseq", "fairseq_cli", "hydra", "omegaconf", "numpy", "matplotlib", "sacrebleu"}


def test_the_core_works_where_only_torch_is(torch_alone, tmp_path):
    """And changes nothing in the process."""
    result = subprocess.run(
        [torch_alone, ROOT / "tests/import_effects.py"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    told = json.loads(result.stdout)
    assert told["changed"] == []
    assert told["shape"] == [3, 2, 4]
    assert told["seconds"] < 2
    assert not OTHERS & set(told["modules"])


def test_the_core_changes_nothing_beside_fairseq():
    """Whoever has imported fairseq may use the core alone, too."""
    assert json.loads(run("import_effects:core_alone").stdout)["changed"] == []


def registered(*names: object, folder: Path = ROOT) -> str:
    result = run("import_effects:registered", *names, cwd=folder)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize(
    "name", ["models", "tasks", "criterions", "optim", "data.streams", "checkpoints"]
)
def test_whatever_is_imported_first_registers_all(name):
    assert registered(f"fairseq_memtx.{name}") == "fairseq_memtx.models.mem_transformer"


@pytest.mark.parametrize("name", ["fairseq_memtx", "another"])
def test_user_dir_is_a_folder_or_a_link_of_any_name(name, tmp_path):
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / name).symlink_to(PACKAGE)
    models = registered(tmp_path / "a b" / name, folder=tmp_path)
    assert models == f"{name}.models.mem_transformer"


@pytest.mark.parametrize("by_link", [False, True])
def test_user_dir_of_a_package_whose_core_was_imported(by_link, tmp_path):
    """Fairseq then takes it that all was, and imports nothing."""
    link = tmp_path / "fairseq_memtx"
    link.symlink_to(PACKAGE)
    models = registered("fairseq_memtx.memory", link if by_link else PACKAGE)
    assert models == "fairseq_memtx.models.mem_transformer"


def test_two_names_in_one_process(tmp_path):
    (tmp_path / "another").symlink_to(PACKAGE)
    line = fail("import_effects:registered", "fairseq_memtx.models", tmp_path / "another")
    assert f"another were registered from {PACKAGE} before: give that folder to --user" in line


def test_commands_from_any_folder(tmp_path):
    """A link to the folder under a path with a space, from another folder."""
    (tmp_path / "a b").mkdir()
    link = tmp_path / "a b" / "fairseq_memtx"
    link.symlink_to(PACKAGE)
    flags = ["--arch", "mem_transformer_tiny", "--max-tokens", 9]
    line = fail("fairseq-train", "none", "--user-dir", link, *flags, cwd=tmp_path)
    assert line.startswith("fairseq-memtx: error: there is no data folder none: give")


def test_other_errors_keep_their_traceback():
    result = run("import_effects:broken_afterwards")
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError" in result.stderr
