"""``scripts/gpu_check.sh``: what it says, whatever happens; and its short form, on a CPU."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from zipfile import ZipFile

import pytest
import torch
from conftest import ROOT, with_commands
from gpu_check import check
from gpu_check.cases import CASES, evaluation_flags, flags, overrides
from gpu_check.effects import effects
from gpu_check.picture import curves, draw
from gpu_check.plan import READERS, Stage, Wanted, plan
from gpu_check.run import Run
from gpu_check.trial import Stopped, Trial, Where
from gpu_check.turns import side_by_side, table


def run(
    tmp_path: Path, *checks: Trial, alone: tuple[Trial, ...] = (), seconds: float = 300
) -> dict:
    """Make these checks; the JSON that is left."""
    where = Where(tmp_path, tmp_path / "work", "cpu", 2, dict(os.environ))
    stages = [Stage([], 1), Stage(list(checks), 2), Stage(list(alone), 1)]
    passed = Run(stages, where, time.monotonic(), seconds).all()
    result = json.loads((tmp_path / "gpu_check.json").read_text())
    assert passed == all(c["state"] == "passed" for c in result["checks"].values())
    return result


def nothing(trial: Trial) -> None:
    trial.figures["found"] = 1


def broken(trial: Trial) -> None:
    trial.run("conftest:no_such_function")


def disappointed(trial: Trial) -> None:
    trial.expect(False, "the figures are wrong")
    trial.expect(False, "so are these")


def faulty(trial: Trial) -> None:
    raise KeyError("a fault of the check")


def slow(trial: Trial) -> None:
    trial.run("time:sleep_for_a_minute")


def test_what_fails_is_reported_and_the_rest_goes_on(tmp_path):
    checks = [Trial(f.__name__, f) for f in (broken, disappointed, faulty, nothing)]
    result = run(tmp_path, *checks, alone=(Trial("alone", nothing),))
    found = {name: (of["state"], of["problems"]) for name, of in result["checks"].items()}
    assert found == {
        "broken": (
            "failed",
            ["no_such_function: AttributeError: module 'conftest' has no attribute "
             "'no_such_function'"],
        ),
        "disappointed": ("failed", ["the figures are wrong", "so are these"]),
        "faulty": ("failed", ["the check itself failed: KeyError: 'a fault of the check'"]),
        "nothing": ("passed", []),
        "alone": ("passed", []),
    }  # fmt: skip
    assert result["summary"] == "2 passed, 3 failed, 0 not reached"
    assert any("Traceback" in line for line in result["checks"]["broken"]["tail"])
    with ZipFile(tmp_path / "logs.zip") as archive:
        (name,) = archive.namelist()
        assert b"no_such_function" in archive.read(name)
    table = (tmp_path / "gpu_check.txt").read_text()
    assert "failed" in table
    assert "so are these" in table


def test_when_time_is_up(tmp_path):
    """What is left is said to be left, also what was cut off in the middle."""

    def waits(trial: Trial) -> None:
        while time.monotonic() < trial.deadline:
            time.sleep(0.05)
        raise Stopped("it was not done in time")

    late = [Trial(name, waits, limit=99) for name in ("cut off", "cut off too", "never begun")]
    result = run(tmp_path, *late, seconds=5)
    assert [of["state"] for of in result["checks"].values()] == ["not reached"] * 3
    # By its own limit, a check fails.
    result = run(tmp_path, Trial("too slow", waits, limit=0.1), Trial("another", nothing))
    assert [of["state"] for of in result["checks"].values()] == ["failed", "passed"]


def test_results_are_written_after_each_check(tmp_path):
    def look(trial: Trial) -> None:
        checks = json.loads((tmp_path / "gpu_check.json").read_text())["checks"]
        trial.figures["seen"] = [name for name, of in checks.items() if of["state"] == "passed"]

    result = run(tmp_path, Trial("first", nothing), alone=(Trial("second", look),))
    assert result["checks"]["second"]["figures"] == {"seen": ["first"]}


def test_every_model_is_tried_in_every_precision():
    """Families, backbones, schemes and criterions, as the issue names them."""
    names = [check.name for check in plan(Wanted())[-1].trials]
    assert len(names) == len(set(names))
    for case in CASES:
        for what in ("float32", "fp16", "amp", "bf16", "a step", "as on the CPU"):
            assert f"{case.title}, {what}" in names
    spelled = " ".join(" ".join(flags(case, Path("data"), "")) for case in CASES)
    for flag in (
        "--backbone transformer", "--cache-length", "--adaptive-softmax-cutoff",
        "--memory-variant bottleneck", "--sparse-attention window", "--sparse-attention lsh",
        "--sparse-attention none", "--segments", "--compress-layers", "--checkpoint-segments",
        "--criterion segment_cross_entropy", "--criterion fused_label_smoothed_cross_entropy",
        "--task extractive_qa", "--task sentence_prediction", "--task majority-tagging",
    ):  # fmt: skip
        assert flag in spelled
    assert "mem_transformer tokens, pytorch_ddp" in names
    assert len(plan(Wanted(only="lsh"))[-1].trials) == 7


def test_parts_and_their_order():
    """Speed before the checks, and never longer than leaves them time."""
    everything = plan(Wanted(part="all"))
    names = [[trial.name for trial in stage.trials] for stage in everything]
    assert [stage.until for stage in everything] == [1.0, 0.55, 1.0]
    assert names[1][0] == "speed: language models"
    assert [name for name in names[1] if "documents" in name] == [
        f"speed: documents of {length}" for length in ("4,096", "16,384", "1,024", "65,536")
    ]
    checks_ = [trial.name for trial in plan(Wanted())[-1].trials]
    copies = [trial.name for trial in effects("cuda", False, None)]
    read = [f"reading: {name}" for name in READERS]
    assert names[2] == copies + read + checks_
    assert everything[2].jobs == len(copies) + len(read) + 1
    assert plan(Wanted(part="all", jobs=12))[2].jobs == len(copies) + 12
    assert [trial.name for trial in plan(Wanted(part="speed"))[-1].trials] == copies + read
    translations = [trial.name for trial in effects("cuda", False, Path("data"))[len(copies) :]]
    assert len(translations) == 12
    # What a run was cut at: a row of documents, a million tokens, the last translations.
    limits = {trial.name: trial.limit for stage in everything for trial in stage.trials}
    assert min(limits[f"speed: documents of {length}"] for length in ("4,096", "65,536")) > 70
    assert min(limits[name] for name in read) > 2 * 83
    assert {name.rpartition(", ")[0] for name in translations[:4]} == {
        f"Multi30k, M={memory}" for memory in (0, 5, 10, 20)
    }


def test_what_was_found_before_a_stop_is_kept(tmp_path, monkeypatch):
    def stop(trial: Trial, *arguments: object) -> None:
        trial.said = 'a line\n{"found": 2}\n{"found": 3}\n{"fou'
        raise Stopped("it was not done in time")

    def stopped(trial: Trial) -> None:
        trial.figures = trial.measure("speed:of_nothing")

    monkeypatch.setattr(Trial, "run", stop)
    result = run(tmp_path, Trial("stopped", stopped))["checks"]["stopped"]
    assert (result["state"], result["figures"]) == ("failed", {"found": 3})


def test_models_take_turns_and_one_that_fails_costs_the_others_nothing():
    calls = []

    def works(name: str, seconds: float) -> int:
        calls.append(name)
        time.sleep(seconds)
        return 10

    def full() -> int:
        raise torch.OutOfMemoryError

    def broken_() -> int:
        raise ValueError("what is wrong")

    *_, found = side_by_side(
        {"one": lambda: works("one", 0.01), "full": full, "broken": broken_,
         "other": lambda: works("other", 0.1)}, "cpu", seconds=0.4,
    )  # fmt: skip
    assert calls[:8] == [*["one"] * 2, *["other"] * 2, "other", "one", "one", "other"]
    assert found["full"] == {"problem": "out of memory"}
    assert found["broken"] == {"problem": "ValueError: what is wrong"}
    assert 0 < found["other"]["of one"]["ratio"] < 1
    assert 0 < found["other"]["tokens_per_second"] <= 100
    low, high = found["one"]["middle_half"]
    assert low <= found["one"]["tokens_per_second"] <= high
    lines = table("title", found)
    assert [line.split()[0] for line in lines] == ["title", "one", "full", "broken", "other"]
    assert lines[2].endswith("out of memory")


def test_the_picture_shows_what_was_reached():
    def row(**found: dict) -> dict:
        return {"figures": {"table": [], "training, amp": found}}

    checks = {
        "speed: documents of 4,096": row(ours={"tokens_per_second": 7}, full={"problem": "full"}),
        "speed: documents of 1,024": row(ours={"tokens_per_second": 5}),
        "speed: documents of 65,536": {"state": "not reached"},
        "speed: generation": {"figures": {"tf32": {}}},
    }
    assert curves(checks, "training, amp") == {"ours": [(1024, 5), (4096, 7)]}
    left, right = draw(checks).axes
    assert [line.get_label() for line in left.lines] == ["ours"]
    assert not right.lines


def test_a_case_is_spelled_in_two_ways():
    case = next(case for case in CASES if case.title == "rmt_lm adaptive softmax")
    settings = "common.bf16=true common.cpu=false"
    line = flags(case, Path("d"), settings)
    assert line[0] == "d/text"
    assert "--bf16" in line
    assert "--cpu" not in line
    assert line[line.index("--lr") + 1] == "0.001"
    words = overrides(case, Path("d"), settings)
    assert {"++common.bf16=true", "++common.cpu=false", "++optimization.lr=[0.001]"} < set(words)
    assert "++model.adaptive_softmax_cutoff='50,150'" in words
    assert "task.data='d/text'" in words
    assert evaluation_flags(case, Path("d"))[-2:] == ["--stride-segments", "1"]


def test_wheels_of_the_checkout_are_installed_where_fairseq_is_missing(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(check, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", "given")
    missing = {"fairseq": None}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: missing.get(name, "found"))
    with pytest.raises(SystemExit):
        check.install(tmp_path / "site")
    assert "there are no wheels in .whl of the checkout" in capsys.readouterr().err
    (tmp_path / ".whl").mkdir()
    with ZipFile(tmp_path / ".whl/lonely-1.0-py3-none-any.whl", "w") as wheel:
        about = "lonely-1.0.dist-info"
        wheel.writestr("lonely.py", "here = True\n")
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: lonely\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    check.install(tmp_path / "site")
    assert (tmp_path / "site/lonely.py").exists()
    assert str(tmp_path / "site") in sys.path
    assert os.environ["PYTHONPATH"] == f"given{os.pathsep}{tmp_path / 'site'}"


@pytest.mark.training
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu(tmp_path):
    line = check_by_command(tmp_path, "--quick", code=2).stderr.strip().splitlines()[-1]
    assert re.fullmatch(r"gpu_check: error: machine: PyTorch \S+ sees no GPU: use --cpu", line)


def check_by_command(tmp_path: Path, *more: str, code: int) -> subprocess.CompletedProcess:
    """The script as it is called by hand."""
    done = subprocess.run(
        ["bash", str(ROOT / "scripts/gpu_check.sh"), "--output", str(tmp_path), *more],
        cwd=tmp_path, env={**with_commands(), "PYTHON": sys.executable}, capture_output=True,
        text=True, timeout=580,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.mark.training
def test_speed_in_its_short_form_on_a_cpu(tmp_path):
    check_by_command(tmp_path, "--part", "speed", "--cpu", "--quick", "--minutes", "9", code=0)
    result = json.loads((tmp_path / "gpu_check.json").read_text())
    assert result["summary"].endswith("0 failed, 0 not reached")
    figures = {name: of["figures"] for name, of in result["checks"].items()}
    for name, models in {
        "language models": 6,
        "documents of 32": 6,
        "FlexAttention": 4,
        "translation, small": 2,
    }.items():
        rows = next(of for key, of in figures[f"speed: {name}"].items() if "amp" in key)
        assert len(rows) == models
        assert all(row["tokens_per_second"] > 0 for row in rows.values()), rows
    assert len(figures["speed: generation"]["tf32"]) == 2
    assert figures["reading: rmt_lm of the examples' size"]["4096"]["tokens_per_second"] > 0
    assert figures["copy, 24 symbols, 9 segments: RMT, M=8"]["updates"] == 4
    assert "armt_lm, transformer-xl " in (tmp_path / "gpu_check.txt").read_text()


@pytest.mark.training
def test_claims_are_measured_by_what_is_installed(tmp_path):
    check_by_command(
        tmp_path, "--part", "claims", "--cpu", "--quick", "--only", "rmt-one-vector-a-token", code=0
    )  # fmt: skip
    claims = json.loads((tmp_path / "claims.json").read_text())["claims"]
    assert claims["rmt-one-vector-a-token"]["minutes"]["verdict"] == "holds"


@pytest.mark.training
def test_its_short_form_on_a_cpu(tmp_path):
    check_by_command(
        tmp_path, "--part", "check", "--cpu", "--quick", "--jobs", "2", "--minutes", "9", code=0
    )  # fmt: skip
    result = json.loads((tmp_path / "gpu_check.json").read_text())
    assert result["summary"].endswith("0 failed, 0 not reached")
    resumed = [of["figures"]["resumed"] for of in result["checks"].values()
               if "resumed" in of.get("figures", {})]  # fmt: skip
    assert len(resumed) == 5
    assert all(of["bits"] for of in resumed), "on a CPU a resumed run is the same run"
    assert {path.name for path in tmp_path.iterdir()} == {
        "gpu_check.json", "gpu_check.txt", "logs.zip",
    }  # fmt: skip
