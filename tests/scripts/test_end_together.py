"""A signal to a recipe, or to a script that prepares a folder, ends all that it has started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT
from stand_ins import preprocess

END_TOGETHER = ROOT / "scripts/end_together.sh"


def wait_for(condition) -> None:
    """Until it holds, for at most 30 seconds."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def runs(process: int) -> bool:
    """Whether a process is there, and no zombie that nobody has asked about yet."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


@pytest.fixture
def recipe(tmp_path, monkeypatch) -> Path:
    """Three commands at once, one of them in a pipe, which tell their numbers."""
    monkeypatch.delenv("MEMTX_RECIPE", raising=False)
    tell = "import os, sys, time; open(sys.argv[1], 'w').write(f'{os.getpid()} '); time.sleep(60)"
    (tmp_path / "recipe.sh").write_text(
        f"set -euo pipefail\n. '{END_TOGETHER}'\ntrap 'touch cleaned' EXIT\n"
        f"command=('{sys.executable}' -c \"{tell}\")\n"
        'echo "$1"\n"${command[@]}" one | cat &\n"${command[@]}" two | cat\n'
    )
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_all_commands_of_a_recipe(recipe, number):
    process = subprocess.Popen(
        ["bash", "recipe.sh", "an argument"],
        cwd=recipe,
        stdout=subprocess.PIPE,
        text=True,
        # As in a terminal; what runs in the background, or by nohup, ignores it, and bash with it.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    files = [recipe / name for name in ("one", "two")]
    wait_for(lambda: all(file.exists() and file.read_text().endswith(" ") for file in files))
    started = [int(file.read_text()) for file in files]
    assert all(map(runs, started))
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert process.returncode in (128 + number, 128 + signal.SIGTERM), "the shell's or its job's"
    assert output == "an argument\n"
    wait_for(lambda: not any(map(runs, started)))
    assert (recipe / "cleaned").exists()


@pytest.mark.parametrize("code", [0, 3])
def test_a_recipe_ends_with_its_own_exit_code(recipe, code):
    (recipe / "short.sh").write_text(f". '{END_TOGETHER}'\ncat\nexit {code}\n")
    command = ["bash", "short.sh"]
    done = subprocess.run(command, cwd=recipe, input="in", capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (code, "in", "")


def test_recipes_of_several_commands_end_together():
    recipes = [*ROOT.glob("examples/*/*.sh"), ROOT / "scripts/quickstart.sh"]
    ways = (
        "end_together.sh",
        "download.sh",
        "raw_files.sh",
        "official_files.sh",
        'exec "${command[@]}"',
    )
    alone = [path.name for path in recipes if not any(way in path.read_text() for way in ways)]
    assert not alone


def test_what_prepares_a_folder_ends_what_it_started(tmp_path):
    """SIGTERM, as Ctrl-C: no fairseq-preprocess is left, and no folder that looks whole."""
    stand_in = preprocess(
        tmp_path,
        f"import os, time; open({str(tmp_path / 'started')!r}, 'w').write(f'{{os.getpid()}} '); "
        "time.sleep(60)",
    )
    for name in ("train", "valid"):
        (tmp_path / name).write_text("some words\n")
    flags = ["--train", "train", "--valid", "valid", "--unit", "bytes", "--dest", "made"]
    process = subprocess.Popen(
        [sys.executable, "-m", "fairseq_memtx", "prepare", "language-model", *flags],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([stand_in, str(ROOT)])},
    )
    started = tmp_path / "started"
    wait_for(lambda: process.poll() is not None or (started.exists() and started.read_text()))
    assert process.poll() is None, process.stderr.read()
    process.terminate()
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert errors.endswith("fairseq-memtx: error: stopped; the next start begins anew\n")
    wait_for(lambda: not runs(int(started.read_text())))
    assert not (tmp_path / "made").exists()
