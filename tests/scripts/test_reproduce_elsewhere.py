"""``scripts/reproduce.sh`` goes on with what another machine measured, or what is published."""

import json
import shutil
from pathlib import Path

import pytest
import reproduce.__main__ as command_line
import yaml
from conftest import fail
from reproduce.__main__ import CLAIMS, PUBLISHED, PUBLISHED_RUNS
from reproduce.claim import read_claims
from reproduce.evaluation import all_budgets
from reproduce.pages import publish
from reproduce.records import read_records
from reproduce.work import Work
from test_reproduce import EXPERIMENT, command, done, record, reproduce, write


def forgotten(tmp_path: Path) -> Path:
    """Results of a machine that is gone: its ``runs.json`` alone, of the seeds 1 and 2."""
    kept = tmp_path / "runs of the other.json"
    found = json.loads((tmp_path / "results/runs.json").read_text())
    assert len(found) == 6
    kept.write_text(json.dumps(
        {name: run for name, run in found.items() if str(run["measures"]["score"])[-1] != "3"}
    ))  # fmt: skip
    shutil.rmtree(tmp_path / "results")
    return kept


def test_what_another_machine_measured_is_not_done_again(tmp_path):
    write(tmp_path / "claims")
    reproduce(tmp_path)
    kept = forgotten(tmp_path)
    reproduce(tmp_path, "--known", kept)
    assert sorted(done(tmp_path)) == ["3 2", "3 8"]
    assert record(tmp_path)["parts"][0]["values"] == [[0.81, 0.21], [0.82, 0.22], [0.83, 0.23]]
    # Again, and what is handed on is everything.
    assert len(json.loads((tmp_path / "results/runs.json").read_text())) == 6
    assert "6 runs, " in (tmp_path / "results/claims.md").read_text()


def test_numbers_of_another_machine_are_no_files_to_go_on_with(tmp_path):
    """A run that needs another's files has that one done here."""
    made = "test -e {before}/made && echo score 0.{worth}{seed}"
    folder = write(
        tmp_path / "claims",
        steps={"first": EXPERIMENT["steps"]["first"], "second": made},
        needs={"before": {"experiment": "before"}},
    )
    before = {
        "steps": {"make": "sleep 1; touch {folder}/made; echo {seed}"},
        "measures": {"score": {"file": "make.log", "find": "([0-9])"}},
    }
    (folder / "experiments/before.yaml").write_text(yaml.safe_dump(before))
    reproduce(tmp_path)
    needed = {
        path.parent.name: json.loads(path.read_text())
        for path in (tmp_path / "results/runs").glob("before-*/finished.json")
    }
    assert len(needed) == 3
    kept = forgotten(tmp_path)
    kept.write_text(json.dumps(json.loads(kept.read_text()) | needed))
    reproduce(tmp_path, "--known", kept)
    assert sorted(done(tmp_path)) == ["3 2", "3 8"]
    assert len(list((tmp_path / "results/runs").glob("before-*"))) == 1


def test_what_is_published_stays_beside_what_is_new(tmp_path, monkeypatch):
    """Another machine, or budget, adds to the page and takes nothing from it."""
    page, published = tmp_path / "claims.md", tmp_path / "published.json"
    published.write_text("{}\n")
    monkeypatch.setattr(command_line, "PUBLISHED", page)
    monkeypatch.setattr(command_line, "PUBLISHED_RUNS", published)
    write(tmp_path / "claims")

    def published_by(*more: str) -> None:
        monkeypatch.setattr("sys.argv", ["reproduce", *command(tmp_path, "--publish", *more)[3:]])
        assert command_line.reproduce(command_line.parse()) == 0

    published_by()
    assert len(json.loads(published.read_text())) == 6
    shutil.rmtree(tmp_path / "results")
    published_by("--budget", "gpu", "--minutes", "0.0001")
    assert "| More is better | none | holds | holds | not run |" in page.read_text()
    assert len(json.loads(published.read_text())) == 6
    published_by("--budget", "gpu")
    assert "| More is better | none | holds | holds | holds |" in page.read_text()
    assert len(json.loads(published.read_text())) == 12


def test_the_published_page_is_what_its_runs_say(tmp_path):
    """Nobody has written into it, and no claim or experiment is newer than it."""
    work = Work(tmp_path, None, {}, read_records(PUBLISHED_RUNS))
    results = all_budgets(read_claims([CLAIMS], []), [CLAIMS], work, quick=False)
    more = (CLAIMS / "README.md").read_text(encoding="utf-8")
    publish(tmp_path / "claims.md", tmp_path / "runs.json", results, work, more)
    assert (tmp_path / "claims.md").read_text() == PUBLISHED.read_text()
    assert (tmp_path / "runs.json").read_text() == PUBLISHED_RUNS.read_text()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "cannot be read"),
        ("[]", "is no runs.json"),
        ('{"toy-1": {"measures": {"score": 0.5}}}', "toy-1 does not have measures, seconds"),
        ('{"toy-1": {"measures": {"score": "__import__"}, "seconds": 1, "finished": "", '
         '"commit": "", "machine": ""}}', "with numbers as measures"),
        ('{"toy-1": {"measures": {"score": NaN}, "seconds": 1, "finished": "", '
         '"commit": "", "machine": ""}}', "with numbers as measures"),
    ],
)  # fmt: skip
def test_a_file_from_elsewhere_is_checked(tmp_path, content, complaint):
    write(tmp_path / "claims")
    (tmp_path / "other.json").write_text(content)
    said = reproduce(tmp_path, "--known", tmp_path / "other.json", result=fail)
    assert said.strip().splitlines()[-1].startswith("reproduce.sh: error: ")
    assert complaint in said
    assert not (tmp_path / "results").exists()
