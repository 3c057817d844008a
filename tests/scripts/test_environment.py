"""The scripts that set themselves up, with a stand-in for Python and pip."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

PYTHON = """#!/bin/sh
# Stands in for Python: says it is new enough, makes a .venv, and counts what pip is asked for.
case "$1 $2" in
  "-c "*) exit {usable} ;;
  "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  "-m pip") echo "$@" >> pip.log && exit "$(cat pip.exit 2>/dev/null || echo 0)" ;;
esac
"""


@pytest.fixture
def fresh(tmp_path) -> Path:
    """A clone, as far as the set-up looks at it, and a PATH whose Python is the stand-in."""
    clone = tmp_path / "fresh clone"
    (clone / "scripts").mkdir(parents=True)
    scripts = (f"scripts/{name}.sh" for name in ("environment", "quickstart", "end_together"))
    for name in ("setup.py", "constraints.txt", *scripts):
        shutil.copy(ROOT / name, clone / name)
    return clone


def bash(clone: Path, script: str, usable: int = 0) -> subprocess.CompletedProcess:
    commands = clone.parent / "commands"
    commands.mkdir(exist_ok=True)
    for name in ("python3.11", "python3.12", "python3", "python"):
        (commands / name).write_text(PYTHON.format(usable=usable))
        (commands / name).chmod(0o755)
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=clone, env={"PATH": f"{commands}:/usr/bin:/bin"}, capture_output=True, text=True,
    )  # fmt: skip


SETUP = "source scripts/environment.sh"


def test_second_run_installs_nothing(fresh):
    for _ in range(2):
        result = bash(fresh, SETUP)
        assert result.returncode == 0, result.stderr
    calls = (fresh / "pip.log").read_text().splitlines()
    assert len(calls) == 1
    assert "--constraint constraints.txt" in calls[0]
    assert "installing" not in result.stdout


def test_new_pins_are_installed(fresh):
    bash(fresh, SETUP)
    (fresh / "constraints.txt").write_text("torch==9.9\n")
    bash(fresh, SETUP)
    assert len((fresh / "pip.log").read_text().splitlines()) == 2


def test_broken_installation_is_told_and_tried_again(fresh):
    (fresh / "pip.exit").write_text("1")
    result = bash(fresh, SETUP)
    assert result.returncode == 1
    assert "pip could not install the packages" in result.stderr.splitlines()[-1]
    (fresh / "pip.exit").write_text("0")
    assert bash(fresh, SETUP).returncode == 0
    assert len((fresh / "pip.log").read_text().splitlines()) == 2


def test_wrong_python(fresh):
    result = bash(fresh, SETUP, usable=1)
    assert result.returncode == 1
    assert result.stderr.strip().endswith(
        "no Python 3.11 or 3.12 was found: install one, or name it in the variable PYTHON"
    )
    assert result.stderr.count("\n") == 1
    assert not (fresh / ".venv").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--dta x", "unknown argument --dta: see quickstart.sh --help"),
        ("--data nowhere", "no folder"),
        ("--data", "--data needs a folder"),
    ],
)
def test_quickstart_arguments(fresh, arguments, says):
    result = bash(fresh, f"bash scripts/quickstart.sh {arguments}")
    assert result.returncode == 1
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (fresh / "pip.log").exists()


def test_quickstart_help(fresh):
    result = bash(fresh, "bash scripts/quickstart.sh --help")
    assert result.returncode == 0
    assert "--data DIR" in result.stdout
    assert "set -euo" not in result.stdout


@pytest.mark.training
def test_transformers_can_be_imported_beside_this_torch():
    """By users, in plain Python: nothing of ours is there to mend it."""
    program = "from transformers import RobertaForMaskedLM"
    subprocess.run([sys.executable, "-I", "-c", program], check=True)
