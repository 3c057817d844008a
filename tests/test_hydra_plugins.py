"""What an installed package tells hydra: a forgotten --user-dir, and where our YAML files are.

In no folder ``hydra_plugins``: hydra would take it for plugins wherever the tests are on the path.
"""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from conftest import ROOT

from fairseq_memtx.hydra_plugins.fairseq_memtx import missing_user_dir

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> dict[str, str]:
    """The variables of a process in which the package is installed, as far as hydra can tell."""
    site = tmp_path_factory.mktemp("site") / "a folder, 100%20 größer"
    site.mkdir()
    (site / "hydra_plugins").symlink_to(ROOT / "fairseq_memtx/hydra_plugins")
    (site / "fairseq_memtx").symlink_to(ROOT / "fairseq_memtx")
    shell = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    return {**shell, "PYTHONPATH": str(site)}


def run(installed, tmp_path, command: str, *arguments: object) -> subprocess.CompletedProcess:
    program = str(Path(sys.executable).with_name(command))
    return subprocess.run(
        [program, *map(str, arguments)],
        cwd=tmp_path, env=installed, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_user_dir_was_forgotten(installed, toy_data, trained, tmp_path):
    path = trained / "checkpoint_last.pt"
    result = run(installed, tmp_path, "fairseq-generate", toy_data, "--path", path, "--cpu")
    assert result.returncode != 0
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith(f"fairseq-memtx: error: {path} is a checkpoint of fairseq-memtx: give")
    assert "--user-dir" in line
    assert "Traceback" not in result.stderr


def test_other_checkpoints_fail_as_ever(installed, toy_data, tmp_path):
    (tmp_path / "other.pt").write_bytes(b"no checkpoint")
    flags = [toy_data, "--path", "other.pt", "--cpu"]
    result = run(installed, tmp_path, "fairseq-generate", *flags)
    assert "Traceback" in result.stderr
    assert "fairseq-memtx" not in result.stderr


def test_models_by_name_without_config_dir(installed, toy_lm, tmp_path):
    """Nor a user_dir, wherever the package and the user are."""
    typed = tmp_path / "a folder, 100%20 größer"
    typed.mkdir()
    (typed / "data").symlink_to(toy_lm)
    result = run(
        installed, typed, "fairseq-hydra-train", "model=rmt_lm_tiny",
        "task=rmt_language_modeling", "task.data=data", "task.tokens_per_sample=8",
        "optimizer=adam", "optimization.max_update=1", "common.cpu=true",
        "dataset.disable_validation=true", "dataset.num_workers=0", "hydra.run.dir=.",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    state = torch.load(typed / "checkpoints/checkpoint_last.pt", weights_only=False)
    assert state["cfg"]["model"]["memory_tokens"] == 4
    told = [line for line in result.stderr.splitlines() if re.search(r"Warning:|JobRuntime", line)]
    early = r"hydra_train\.py:\d+: |JobRuntime:name=UNKNOWN_NAME"  # before hydra knows of us
    assert [line for line in told if not re.search(early, line)] == []
    assert (typed / "checkpoints/.hydra/hydra_train.log").exists()


def test_nothing_heavy_is_imported():
    """Any program that uses hydra imports the plugin."""
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'fairseq_memtx')!r}); "
        "from hydra.core.plugins import Plugins; "
        "print([p.__name__ for p in Plugins.instance().discover()]); "
        "print(sorted({'torch', 'fairseq', 'fairseq_memtx'} & set(sys.modules)))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "MemtxSearchPath" in output[0]
    assert output[1] == "[]"


def test_a_guarded_function_keeps_the_names_of_its_arguments():
    """By them the package knows which file was read, also where hydra's plugin came first."""
    module = SimpleNamespace(load=lambda path, overrides=None: path)
    missing_user_dir.guard(module, "load")
    assert list(inspect.signature(module.load).parameters) == ["path", "overrides"]
    assert module.load("a.pt") == "a.pt"
