"""examples/long_memory/run.sh, with stand-ins for commands that take minutes."""

import json
import os
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT

POINT = {"segments": 128, "accuracy": 1.0, "examples": 16, "chance": 1 / 6}
POINT |= {"tokens_per_second": 4096.0}
# Two megabytes more for a million tokens, and time that grows with them.
CURVE = [
    POINT | {"tokens": tokens, "seconds": tokens / 4096, "peak_megabytes": 400 + tokens / 500_000}
    for tokens in (4096, 32_768, 1_000_000)
]
ARGUMENT = """value() { while [ "$1" != "$2" ]; do set -- "$1" "${@:3}"; done; echo "$3"; }
folder=$(value --save-dir "$@" --save-dir '')
"""
STAND_INS = {
    "fairseq-train": ARGUMENT
    + """echo "$folder" >> "$STARTED"
case $folder in *$SLOW) sleep 30 ;; *$WRONG) exit 3 ;; esac
mkdir -p "$folder" && touch "$folder/checkpoint_last.pt"
""",
    "fairseq-validate": ARGUMENT.replace("save-dir", "length-curve-file")
    + f"""printf '%s\\n' {" ".join(f"'{json.dumps(point)}'" for point in CURVE)} > "$folder"
""",
    "fairseq-memtx": """echo "$@" >> "$STARTED"
""",
}


@pytest.fixture
def run(tmp_path):
    """Run the recipe in a copy of its surroundings; output, what was started, and the exit code."""
    for name in ("examples/long_memory", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "bin").mkdir()
    for name, program in STAND_INS.items():
        (tmp_path / "bin" / name).write_text(f"#!/usr/bin/env bash\n{program}")
        (tmp_path / "bin" / name).chmod(0o755)
    started = tmp_path / "started"

    def run(*arguments: str, slow: str = "none", wrong: str = "none") -> tuple[str, list[str], int]:
        started.write_text("")
        path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "examples/long_memory/run.sh", *arguments],
            cwd=tmp_path,
            env=os.environ | {"PATH": path, "STARTED": started, "SLOW": slow, "WRONG": wrong},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=20,
        )
        return done.stdout, started.read_text().splitlines(), done.returncode

    return run


def test_the_quick_part_and_once_again(run):
    output, started, code = run("--quick", "out")
    assert code == 0, output
    names = ["out/one-no-memory-seed1", "out/one-rmt-seed1"]
    assert sorted(started[:2]) == names
    assert started[2].startswith("plot length-curve out/curves/one-no-memory-seed1.jsonl")
    assert "one-rmt\n\n| tokens | accuracy |" in output
    assert "| 4,096 | 1.000 | 1.000, 1.000 | 16 | 4,096 | 400 |" in output
    assert "From 4,096 tokens on: +2.0 MB a million tokens, time ~ tokens^1.000" in output
    _, started, code = run("--quick", "out")
    assert code == 0
    assert [line for line in started if not line.startswith("plot")] == [], "all is there"


@pytest.mark.parametrize("seeds", [None, 3])
def test_all_of_it(run, monkeypatch, seeds):
    if seeds:
        monkeypatch.setenv("SEEDS", str(seeds))
    output, started, code = run()
    assert code == 0, output
    folder = Path("checkpoints/long_memory")
    models = ["rmt", "armt", "no-memory", "transformer-xl"]
    trainings = [f"one-{model}" for model in models]
    trainings += ["many-rmt-wide", "many-armt-64", "far-many-armt-64"]
    drawn = range(1, 1 + (seeds or 1))
    names = [f"{training}-seed{seed}" for training in trainings for seed in drawn]
    names += [
        f"{part}-{model}-seed1"
        for part in ("newest", "two-hops")
        for model in ("rmt-wide", "armt-64")
    ]
    names.append("far-newest-armt-64-seed1")
    trained = [line for line in started if not line.startswith("plot")]
    assert sorted(trained) == sorted(str(folder / name) for name in names)
    for facts in (1, 2, 4, 8, 16):
        assert f"many-{facts}-facts-armt-64\n" in output


def test_one_run_that_fails_ends_the_other(run):
    """Or the recipe would wait for it, here 30 seconds."""
    output, _, code = run("--quick", "out", slow="no-memory-seed1", wrong="one-rmt-seed1")
    assert code != 0
    assert "run.sh: error: one-rmt-seed1 failed, see out/one-rmt-seed1.log" in output


def test_a_short_curve_says_nothing_of_a_million_tokens():
    fits = runpy.run_path(str(ROOT / "examples/long_memory/table.py"))["fits"]
    points = {point["tokens"]: [point] for point in CURVE}
    assert fits(points)
    assert fits({tokens: points[tokens] for tokens in (4096, 32_768)}) == ""
