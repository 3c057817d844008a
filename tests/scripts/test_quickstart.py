"""The quickstart: its two demonstrations, with stand-ins for what takes minutes."""

import shutil
import subprocess
from pathlib import Path

import memory_taken_away
import pytest
from conftest import ROOT, succeed, train_flags

# Every command tells what it was asked for. Each of two that have to run at one time waits for the
# other, for ten seconds.
TELLS = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >> calls.log
meet() { touch "$1"; for _ in $(seq 100); do [ ! -e "$2" ] || return 0; sleep 0.1; done; exit 1; }
"""
STAND_INS = {
    ".venv/bin/python": "",
    ".venv/bin/fairseq-train": """
meet first second
echo trained""",
    ".venv/bin/fairseq-memtx": """
case "$1 $2" in
  "plot progress") cat > /dev/null ;;
  "prepare numbers") mkdir -p "$3" && echo Satz > "$3/test.de" ;;
  "prepare translation")
    folder=${*: -1} && mkdir -p "$folder/raw"
    for language in de en; do echo "in $language" > "$folder/raw/test.$language"; done ;;
esac""",
    "examples/translation/score.sh": """echo gesagt > "$2.test.txt" """,
    "examples/translation/train.sh": "echo trained",
    "examples/long_memory/run.sh": """
folder=$2 && mkdir -p "$folder/curves"
echo '    1 s  one-rmt-seed1: trained in 1 s'
meet second first
[ ! -e broken ] || { echo "run.sh: error: broken" >&2; exit 1; }
echo '{"tokens": 8, "chance": 0.1666}' > "$folder/curves/one-rmt-seed1.jsonl"
echo "| 1,000,000 | 1.000 |" > "$folder/table.md" """,
}


@pytest.fixture
def clone(tmp_path) -> Path:
    """A clone whose commands are stand-ins."""
    clone = tmp_path / "fresh clone"
    scripts = [f"scripts/{name}.sh" for name in ("environment", "quickstart", "end_together")]
    for name in ("setup.py", "constraints.txt", *scripts):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    for name, does in STAND_INS.items():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text(TELLS + does)
        (clone / name).chmod(0o755)
    return clone


def quickstart(clone: Path, *arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", "scripts/quickstart.sh", *map(str, arguments)],
        cwd=clone, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.processes
def test_two_demonstrations_at_one_time(clone):
    result = quickstart(clone)
    assert result.returncode == 0, result.stdout + result.stderr
    calls = (clone / "calls.log").read_text()
    folder = "quickstart/numbers"
    assert "--decoder-reads-memory-alone" in calls
    assert f"run.sh --quick {folder}/long-memory" in calls
    assert (
        f"python scripts/memory_taken_away.py {folder}/checkpoints/checkpoint_last.pt "
        f"{folder}/data {folder}\n"
    ) in calls
    assert f"fairseq-memtx report {folder} --title" in calls.splitlines()[-1]
    assert "   [long memory] 1 s  one-rmt-seed1: trained in 1 s\n" in result.stdout
    assert "guessing has an accuracy of 0.166\n| 1,000,000 | 1.000 |\n" in result.stdout
    assert "source       in de\ntranslation  gesagt\nreference    in en\n" in result.stdout


@pytest.mark.processes
def test_the_last_lines_are_three_commands(clone):
    result = quickstart(clone)
    *_, told, first, second, third = result.stdout.splitlines()
    assert told == f"Open quickstart/numbers/report.html. Next, type in {clone}:"
    assert first == "  source .venv/bin/activate"
    assert "| fairseq-memtx translate quickstart/numbers/checkpoints/" in second
    assert third.startswith("  fairseq-memtx inspect quickstart/numbers/checkpoints/")


@pytest.mark.processes
def test_a_second_demonstration_that_fails(clone):
    (clone / "broken").touch()
    result = quickstart(clone)
    assert result.returncode == 1
    assert (
        "the second demonstration failed: see quickstart/numbers/long-memory.log"
        in (result.stderr.splitlines()[-1])
    )
    assert "Next, type" not in result.stdout


@pytest.mark.processes
def test_a_corpus_of_your_own(clone):
    """It is translated by the paper's decoder, and there is no second demonstration."""
    (clone / "own").mkdir()
    (clone / "own/test.de").touch()
    result = quickstart(clone, "--data", "own")
    assert result.returncode == 0, result.stdout + result.stderr
    calls = (clone / "calls.log").read_text()
    assert "run.sh" not in calls
    assert "--decoder-reads-memory-alone" not in calls
    assert "memory_taken_away.py quickstart/own/checkpoints" in calls
    assert "fairseq-memtx report quickstart/own " in calls


@pytest.mark.parametrize(("lost", "says"), [(20.0, "needs its memory"), (19.9, "hardly needs")])
def test_whether_memory_is_needed_is_said_as_it_was_measured(lost, says):
    points = [{"BLEU": 50.0}, {"BLEU": 1.0}, {"BLEU": 50 - lost}]
    told = memory_taken_away.verdict(points)
    assert f"This model {says}" in told
    assert f"{lost} BLEU" in told


@pytest.mark.training
def test_memory_is_taken_away_a_token_at_a_time(tmp_path):
    """On a small corpus, by a model that has learnt next to nothing."""
    text, data, run = tmp_path / "text", tmp_path / "data", tmp_path / "run"
    succeed("fairseq-memtx", "prepare", "numbers", text, "--pairs", 200, "--held-out", 10)
    sets = [f"--{name}={text / file}" for name, file in (("train", "train"), ("valid", "val"))]
    succeed(
        "fairseq-memtx", "prepare", "translation", "--source", "de", "--target", "en", *sets,
        "--test", text / "test", "--bpe-size", 200, "--dest", data,
    )  # fmt: skip
    flags = (
        "-s de -t en --memory-tokens 2 --decoder-reads-memory-alone --max-update 2 "
        "--disable-validation"
    )
    succeed("fairseq-train", *train_flags(data, run, *flags.split()))
    points = memory_taken_away.measure(run / "checkpoint_last.pt", data, 3, 1)
    assert [point["memory_tokens"] for point in points] == [2, 1, 0]
    assert all(0 <= point["BLEU"] <= 100 for point in points)
    assert all(isinstance(point["translation"], str) for point in points)
