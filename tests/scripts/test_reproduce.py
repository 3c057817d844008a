"""``scripts/reproduce.sh``: runs are done once, whatever happens, and judged by a file's rule."""

import json
import os
import re
import shlex
import signal
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, fail, succeed
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from reproduce.__main__ import CLAIMS, MINUTES
from reproduce.claim import BUDGETS, read_claim, read_claims
from reproduce.evaluation import wanted_runs
from reproduce.rule import effect, together, verdict
from reproduce.runs import Experiments
from reproduce.work import Work

import fairseq_memtx.plugin  # noqa: F401

DRAWN = {"algorithmic_sequences", "facts_in_noise", "majority_tagging"}  # tasks without files

# A run measures what it is worth and its seed, and leaves a line in a list beside its folder.
EXPERIMENT = {
    "steps": {
        "first": "echo {seed} {worth} >> {folder}/../../done.txt",
        "second": "echo score 0.{worth}{seed}",
    },
    "measures": {"score": {"file": "second.log", "find": r"score ([\d.]+)"}},
    "values": {"seconds": 1},
}
CLAIM = {
    "claim": "More is better",
    "paper": "none",
    "setting": "Numbers that are told.",
    "seeds": {"minutes": 3, "hours": 3, "gpu": 3},
    "runs": {
        "much": {"experiment": "toy", "worth": 8},
        "little": {"experiment": "toy", "worth": 2},
    },
    "rule": [{"expect": "better", "measure": "score", "of": "much", "than": "little", "by": 0.1}],
}


def write(folder: Path, name: str = "toy", claim: dict | None = None, **experiment: dict) -> Path:
    """A folder with a claim and its experiment."""
    (folder / "experiments").mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(CLAIM | (claim or {})))
    path = folder / "experiments" / "toy.yaml"
    path.write_text(yaml.safe_dump(EXPERIMENT | experiment))
    return folder


def command(tmp_path: Path, *more: object) -> list[str]:
    """The command for a folder's claim of the user's own."""
    return [
        "python", "-m", "reproduce", "--claims", "toy", "--claims-folder",
        str(tmp_path / "claims"), "--output", str(tmp_path / "results"), *map(str, more),
    ]  # fmt: skip


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(ROOT / "scripts"), str(ROOT)])
    return {**os.environ, "PYTHONPATH": path}


def reproduce(tmp_path: Path, *more: object, result=succeed) -> str:
    """Run it; what it says."""
    return result(*command(tmp_path, *more), env=environment())


def record(tmp_path: Path, budget: str = "minutes") -> dict:
    """What the JSON file says of the claim."""
    return json.loads((tmp_path / "results/claims.json").read_text())["claims"]["toy"][budget]


def done(tmp_path: Path) -> list[str]:
    """Which runs were done, by seed and worth."""
    return (tmp_path / "results/done.txt").read_text().splitlines()


@pytest.mark.parametrize(
    ("kind", "differences", "expected"),
    [
        ("better", [0.30, 0.31, 0.32], "holds"),
        ("better", [-0.30, -0.31, -0.32], "does not hold"),
        ("better", [0.01, 0.02, 0.01], "does not hold"),  # less than anybody cares for
        ("better", [0.0, 0.0, 0.0], "does not hold"),
        ("better", [0.5, -0.3, 0.2], "too small to tell"),
        ("better", [0.4, -0.4, 0.1], "too small to tell"),
        ("better", [0.9], "too small to tell"),  # one seed has no interval
        ("better", [0.09, 0.11, 0.13], "too small to tell"),  # around the smallest effect
        ("no-worse", [0.01, -0.01, 0.0], "holds"),
        ("no-worse", [0.3, 0.31, 0.32], "holds"),
        ("no-worse", [-0.30, -0.31, -0.32], "does not hold"),
        ("no-worse", [0.5, -0.6, 0.1], "too small to tell"),
        ("equal", [0.0], "holds"),
        ("equal", [0.05, 0.2], "does not hold"),
        ("equal", [-0.2], "does not hold"),
    ],
)
def test_the_verdict_of_invented_results(kind, differences, expected):
    assert verdict(kind, effect(differences), 0.1) == expected


def test_the_interval_is_students():
    """By hand: mean 2, standard deviation 1, three pairs, 4.3027 standard errors."""
    found = effect([1.0, 2.0, 3.0])
    assert found.mean == 2
    assert found.high - found.mean == pytest.approx(4.30265 / 3**0.5, abs=1e-4)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["holds", "holds"], "holds"),
        (["does not hold"], "does not hold"),
        (["holds", "does not hold"], "mixed"),
        (["holds", "too small to tell"], "mixed"),
        (["too small to tell", "too small to tell"], "too small to tell"),
        (["holds", "not run"], "not run"),
        (["not run", "not run"], "not run"),
        ([], "not run"),
    ],
)
def test_the_verdict_of_sub_claims_together(verdicts, expected):
    assert together(verdicts) == expected


def test_a_claim_of_the_users_own_from_end_to_end(tmp_path):
    write(tmp_path / "claims")
    said = reproduce(tmp_path)
    assert "holds              toy: More is better" in said
    part = record(tmp_path)["parts"][0]
    assert part["values"] == [[0.81, 0.21], [0.82, 0.22], [0.83, 0.23]]
    assert part["mean"] == pytest.approx(0.6)
    assert record(tmp_path)["verdict"] == "holds"
    results = tmp_path / "results"
    table = (results / "claims.md").read_text()
    assert "More is better" in table
    assert "**holds**" in table
    page = (results / "claims.html").read_text()
    assert "More is better" in page
    assert "<svg" in page or "data:image" in page
    assert (results / "pictures/toy-minutes.png").stat().st_size > 1000
    # Again: nothing is done twice.
    before = done(tmp_path)
    assert len(before) == 6
    reproduce(tmp_path)
    assert done(tmp_path) == before


def test_a_run_is_repeated_by_what_it_says(tmp_path):
    """As typed, in a folder with a space in its name."""
    write(tmp_path / "claims")
    reproduce(tmp_path, "--output", tmp_path / "my results")
    script, *_ = (tmp_path / "my results/runs").glob("*/run.sh")
    script.with_name("second.done").unlink()
    typed = re.search("^# What was done here; .*: (.*)", script.read_text())[1]
    assert subprocess.run(["bash", "-c", typed], cwd=ROOT, check=False).returncode == 0
    assert script.with_name("second.done").exists()


def test_less_is_better_and_a_number_to_compare_with(tmp_path):
    rule = [
        {"expect": "better", "measure": "score", "of": "little", "than": "much", "by": 0.1,
         "lower": True, "name": "less"},
        {"expect": "better", "measure": "score", "of": "much", "than": 0.9, "name": "number"},
    ]  # fmt: skip
    write(tmp_path / "claims", claim={"rule": rule})
    reproduce(tmp_path)
    less, number = record(tmp_path)["parts"]
    assert less["verdict"] == "holds"
    assert less["mean"] == pytest.approx(0.6)
    assert number["verdict"] == "does not hold"
    assert record(tmp_path)["verdict"] == "mixed"


def test_what_is_missing_is_not_run(tmp_path):
    """A seed fails, and the others go on; then it is tried again."""
    write(tmp_path / "claims", steps={
        **EXPERIMENT["steps"],
        "second": "test -e {folder}/../../mended -o {seed} != 2 && echo score 0.{worth}{seed}",
    })  # fmt: skip
    reproduce(tmp_path, result=fail)
    found = record(tmp_path)
    assert found["verdict"] == "not run"
    assert found["parts"][0]["pairs"] == 2
    assert "failed: exit code 1" in found["parts"][0]["why"]
    assert record(tmp_path, "hours")["verdict"] == "not run"
    assert "not run" in (tmp_path / "results/claims.md").read_text()
    (tmp_path / "results/mended").touch()
    reproduce(tmp_path)
    assert record(tmp_path)["verdict"] == "holds"
    # The first step of what failed was finished, and so was not done again.
    assert sorted(done(tmp_path)) == sorted(
        f"{seed} {worth}" for seed in (1, 2, 3) for worth in (2, 8)
    )


def test_a_run_that_needs_what_failed_fails(tmp_path):
    folder = write(tmp_path / "claims", needs={"before": {"experiment": "before"}})
    (folder / "experiments/before.yaml").write_text(yaml.safe_dump({"steps": {"one": "exit 3"}}))
    reproduce(tmp_path, result=fail)
    assert "which it needs, failed: exit code 3" in record(tmp_path)["parts"][0]["why"]
    assert not (tmp_path / "results/done.txt").exists()


def test_a_measure_that_is_no_number_is_told(tmp_path):
    write(tmp_path / "claims", measures={"score": {"file": "second.log", "find": "(sco)re"}})
    reproduce(tmp_path, result=fail)
    assert "second.log has 'sco' as score" in record(tmp_path)["parts"][0]["why"]


def test_a_run_gets_a_measure_that_it_lacks_without_its_steps(tmp_path):
    write(tmp_path / "claims")
    reproduce(tmp_path)
    measures = {**EXPERIMENT["measures"], "twice": {"file": "second.log", "find": r"(\d)$"}}
    rule = [CLAIM["rule"][0] | {"measure": "twice", "of": "much", "than": 0}]
    write(tmp_path / "claims", claim={"rule": rule}, measures=measures)
    reproduce(tmp_path)
    assert [value for value, _ in record(tmp_path)["parts"][0]["values"]] == [1, 2, 3]
    assert len(done(tmp_path)) == 6


def test_a_corpus_that_is_not_there_is_asked_for(tmp_path):
    write(tmp_path / "claims", corpus="poems")
    reproduce(tmp_path)
    assert record(tmp_path)["parts"][0]["why"] == "needs --data FOLDER with poems in it"
    (tmp_path / "data/poems").mkdir(parents=True)
    reproduce(tmp_path, "--data", tmp_path / "data")
    assert record(tmp_path)["verdict"] == "holds"


def begin(tmp_path: Path) -> tuple[subprocess.Popen, list[int]]:
    """A process with two runs that wait for a file `go`, and the processes of these."""
    write(tmp_path / "claims", steps={
        "first": EXPERIMENT["steps"]["first"],
        "wait": "echo $$ > {folder}/pid; test -e {folder}/../../go || sleep 300",
        "second": EXPERIMENT["steps"]["second"],
    })  # fmt: skip
    started = subprocess.Popen(
        command(tmp_path), env=environment(), cwd=ROOT,
        # As from a terminal: behind `&` a shell lets commands ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    runs = tmp_path / "results/runs"
    until = time.monotonic() + 300
    while len(list(runs.glob("*/pid"))) < 2 and time.monotonic() < until:
        time.sleep(0.1)
    waiting = [int(path.read_text()) for path in runs.glob("*/pid")]
    assert len(waiting) == 2  # two at a time
    return started, waiting


def goes_on(tmp_path: Path) -> None:
    """To the end; the first steps of the two are not done again."""
    (tmp_path / "results/go").touch()
    reproduce(tmp_path)
    assert record(tmp_path)["verdict"] == "holds"
    assert len(done(tmp_path)) == 6


def test_an_interrupt_ends_what_was_started_and_it_goes_on(tmp_path):
    started, waiting = begin(tmp_path)
    started.send_signal(signal.SIGINT)
    assert started.wait(120) == 130
    for pid in waiting:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert record(tmp_path)["verdict"] == "not run"
    goes_on(tmp_path)


def test_one_at_a_time_even_if_it_is_killed(tmp_path):
    """What a killed one has started goes on by itself, and would be started a second time."""
    started, waiting = begin(tmp_path)
    # Ended at once where they are let in, before they wait for what runs.
    second = [*command(tmp_path), "--minutes", "0.01"]
    try:
        assert "another reproduce.sh is at work" in fail(*second, env=environment())
        started.kill()
        started.wait(120)
        assert "another reproduce.sh is at work" in fail(*second, env=environment())
    finally:
        started.kill()
        for pid in waiting:
            os.killpg(pid, signal.SIGKILL)
    goes_on(tmp_path)


def test_runs_that_claims_share_are_done_once(tmp_path):
    """The same commands are the same run, whatever claims call them."""
    folder = write(tmp_path / "claims")
    runs = {"high": CLAIM["runs"]["much"], "low": {"experiment": "toy", "worth": 3}}
    rule = [CLAIM["rule"][0] | {"of": "high", "than": "low"}]
    write(folder, "other", {"runs": runs, "rule": rule})
    experiments = Experiments([folder], "minutes")
    one, other = (wanted_runs(claim, experiments) for claim in read_claims([folder], []))
    assert len({run.name for run in one + other}) == 9
    assert len(Work(tmp_path, None, {}).unfinished(one + other)) == 9


ASKED = {"expect": "better", "measure": "score", "of": "much", "than": 0}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"rule": [ASKED | {"of": "most"}]}, "most"),
        ({"rule": [ASKED | {"expect": "finer"}]}, "finer"),
        ({"rule": [{"expect": "better", "of": "much", "than": 0}]}, "measure"),
        ({"rule": [ASKED], "runs": {"much": {"experiment": "toys"}}}, "toys.yaml"),
        ({"rule": [ASKED], "runs": {"much": {"experiment": "toy"}}}, "{worth}"),
    ],
)
def test_what_cannot_be_understood_is_told_in_a_line(tmp_path, change, complaint):
    write(tmp_path / "claims", claim=change)
    said = reproduce(tmp_path, result=fail)
    assert said.strip().splitlines()[-1].startswith("reproduce.sh: error: ")
    assert complaint in said.strip().splitlines()[-1]


def test_every_claim_can_be_run_under_every_budget():
    """All that is asked of the project is there, and no command has a gap."""
    claims = read_claims([CLAIMS], [])
    assert len(claims) >= 20
    for claim in claims:
        for budget in BUDGETS:
            experiments = Experiments([CLAIMS], budget)
            runs = wanted_runs(claim, experiments)
            assert runs, f"{claim.name}, {budget}"
            for run in runs:
                measures = {part.measure for part in claim.parts}
                assert measures & set(run.measures), f"{claim.name}: {run.name}"


@pytest.mark.parametrize("budget", BUDGETS)
def test_flags_of_every_training_fit_together(budget):
    """As far as data are drawn, its model is built; a flag that is ignored would refuse it."""
    experiments, tried = Experiments([CLAIMS], budget), set()
    for claim in read_claims([CLAIMS], []):
        for run in wanted_runs(claim, experiments):
            for command in map(shlex.split, run.steps.values()):
                drawn = DRAWN & {*command} and command[0] == "fairseq-train"
                flags = tuple(flag for flag in command[1:] if flag != "--cpu")
                kind = tuple(
                    "1" if before == "--seed" else flag for before, flag in pairwise(flags)
                )
                if drawn and kind not in tried:
                    tried.add(kind)
                    args = options.parse_args_and_arch(options.get_training_parser(), [*flags])
                    cfg = convert_namespace_to_omegaconf(args)
                    tasks.setup_task(cfg.task).build_model(cfg.model)
    assert len(tried) > 10


@pytest.mark.parametrize(
    ("budget", "corpora"), [("minutes", []), ("hours", ["multi30k", "enwiki"])]
)
def test_a_budget_is_kept_by_what_runs_are_to_take(budget, corpora, tmp_path):
    """On two cores; and minutes need no files."""
    for corpus in corpora:
        (tmp_path / corpus).mkdir()
    work, experiments = Work(tmp_path / "runs", tmp_path, {}), Experiments([CLAIMS], budget)
    wanted = [run for claim in read_claims([CLAIMS], []) for run in wanted_runs(claim, experiments)]
    assert not any(map(work.missing, wanted))
    seconds = sum(run.seconds for run in work.unfinished(wanted))
    assert seconds < 2 * 60 * MINUTES[budget]


def test_the_rule_is_read_from_the_file(tmp_path):
    folder = write(tmp_path, claim={"rule": [CLAIM["rule"][0] | {"by": 0.25, "lower": True}]})
    [part] = read_claim(folder / "toy.yaml").parts
    assert (part.by, part.lower, part.expect) == (0.25, True, "better")
