"""``fairseq-memtx report``: what is on the page of a run, and where it was found."""

import json
import re
from pathlib import Path

import pytest
import torch
from conftest import memtx, succeed, train_flags
from fairseq import options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from matplotlib.figure import Figure
from omegaconf import OmegaConf
from pictures.test_html_page import Page
from pictures.test_plot_training import inner, valid

from fairseq_memtx import __version__

# A task and a criterion of each family; rmt_lm has a dataclass, the others have none.
FAMILIES = {
    "mem_transformer_tiny": ("translation", "label_smoothed_cross_entropy"),
    "rmt_lm_tiny": ("rmt_language_modeling", "segment_cross_entropy"),
    "gmat_roberta_tiny": ("masked_lm", "masked_lm"),
}


def configuration(arch: str, *flags: str) -> dict:
    """All settings of a command line, as a checkpoint holds them."""
    task, criterion = FAMILIES[arch]
    line = ["data", "--arch", arch, "--task", task, "--criterion", criterion, *flags]
    args = options.parse_args_and_arch(options.get_training_parser(), line)
    cfg = convert_namespace_to_omegaconf(args)
    return OmegaConf.to_container(cfg, resolve=True, enum_to_str=True)


def save(
    folder: Path, *flags: str, arch="mem_transformer_tiny", name="checkpoint_last", updates=8,
    loss=2.0,
) -> Path:  # fmt: skip
    """A folder with a checkpoint after so many updates, of a model that is of no use."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        "args": None,
        "cfg": configuration(arch, *flags),
        "model": {"weight": torch.zeros(3, 4)},
        "criterion": None,
        "optimizer_history": [{"num_updates": updates}],
        "task_state": {},
        "extra_state": {
            "train_iterator": {"epoch": 2},
            "previous_training_time": 61.4,
            "best": 1.5,
            "metrics": {
                split: [(0, "loss", "AverageMeter", {"val": 0, "sum": 2 * loss, "count": 2})]
                for split in ("default", "train")
            },
        },
        "last_optimizer_state": None,
    }
    torch.save(state, folder / f"{name}.pt")
    return folder


def report(folder: Path, *flags: object) -> Page:
    """The page of a folder, read."""
    assert memtx("report", folder, *flags) == 0
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def cells(page: Page) -> dict[str, list[str]]:
    """The first cell of every row, and the others."""
    rows: dict[str, list[str]] = {}
    for tag, attrs, data in page.all("th", "td"):
        if attrs.get("scope") == "row":
            rows.setdefault(data, [])
            last = data
        elif tag == "td":
            rows[last].append(data)
    return rows


def text(page: Page) -> str:
    return "\n".join(data for _, _, data in page.all("p"))


def alts(page: Page) -> list[str]:
    return [attrs["alt"] for _, attrs, _ in page.all("img")]


@pytest.mark.parametrize("arch", FAMILIES)
def test_settings_of_every_family(arch, tmp_path):
    """What differs stands first, with its default; the rest is folded away."""
    flags = ("--memory-tokens", "3", "--seed", "7", "--optimizer", "adam", "--lr", "0.01")
    page = report(save(tmp_path / "run", *flags, arch=arch))
    changed = page.all("table")[1][2]
    task, criterion = FAMILIES[arch]
    rows = cells(page)
    assert rows["Architecture"] == [arch]
    assert rows["--arch"] == [arch, ""]
    assert rows["--task"] == [task, ""]
    assert rows["--criterion"] == [criterion, ""]
    usual = str(configuration(arch)["model"].memory_tokens) if arch[0] != "r" else "4"
    assert rows["--memory-tokens"] == ["3", usual]
    assert rows["--seed"] == ["7", "1"]
    assert rows["--lr"] == ["0.01", "0.25"]
    assert "--memory-tokens" in changed
    assert "--clip-norm" not in changed
    assert rows["--clip-norm"] == ["0.0", "optimization"]
    assert [data for _, _, data in page.all("summary")] == ["All other settings, at their defaults"]
    assert len([name for name in rows if name == "--lr"]) == 1


def test_the_run_and_versions(tmp_path):
    page = report(save(tmp_path / "a run", updates=1234))
    rows = cells(page)
    assert rows["Updates"] == ["1,234"]
    assert rows["Time in training"] == ["61 s"]
    assert rows["Weights"] == ["12"]
    assert rows["Best loss"] == ["1.5"]
    assert rows["Checkpoint"] == ["checkpoint_last.pt"]
    assert rows["torch"] == [torch.__version__]
    assert rows["fairseq-memtx"] == [__version__]
    assert page.all("h1")[0][2] == "Report of a run"


def test_parts_of_another_plugin(tmp_path):
    """Their flags are listed; what would have been without them is not known."""
    folder = save(tmp_path / "run", "--seed", "7")
    state = torch.load(folder / "checkpoint_last.pt", weights_only=False)
    state["cfg"]["model"].arch = "not_known_here"
    torch.save(state, folder / "checkpoint_last.pt")
    page = report(folder)
    assert "no default is told" in text(page)
    assert cells(page)["--seed"] == ["7", "common"]


# --- curves --------------------------------------------------------------------------------------


def test_curves_of_a_log_in_the_folder(tmp_path):
    folder = save(tmp_path / "run")
    (folder / "train.log").write_text(inner(50, 3.5) + valid(100, 0.25) + valid(200, 0.75))
    page = report(folder)
    assert f"From {folder / 'train.log'}." in text(page)
    assert "loss over 200 updates: train_inner from 3.5 to 3.5; valid from 2.5 to 2.5." in alts(
        page
    )
    assert "accuracy over 200 updates: valid from 0.25 to 0.75." in alts(page)
    assert alts(page)[0].startswith("loss")
    assert not any(alt.startswith(("wps", "wall")) for alt in alts(page))


def test_curves_of_a_log_beside_the_folder_and_of_a_named_one(tmp_path):
    folder = save(tmp_path / "run")
    (tmp_path / "run.log").write_text(valid(100, 0.25) + valid(200, 0.75))
    assert "accuracy over 200 updates: valid from 0.25 to 0.75." in alts(report(folder))
    (tmp_path / "elsewhere.txt").write_text(valid(100, 0.5) + valid(300, 0.6))
    page = report(folder, "--log", tmp_path / "elsewhere.txt")
    assert "accuracy over 300 updates: valid from 0.5 to 0.6." in alts(page)
    assert "run.log" not in text(page)


def test_curves_of_log_file(tmp_path):
    """Lines of ``--log-file`` have no time and no split in front."""
    log = tmp_path / "elsewhere" / "log"
    log.parent.mkdir()
    lines = [line.split(" | ", 3)[3] for line in (inner(50, 3.5), valid(100, 0.25))]
    log.write_text("".join(lines))
    page = report(save(tmp_path / "run", "--log-file", str(log)))
    assert f"From {log}." in text(page)
    assert "loss over 100 updates: train_inner from 3.5 to 3.5; valid from 2.5 to 2.5." in alts(
        page
    )


def test_a_log_of_something_else(tmp_path):
    """One that lies there is passed over; one that is named is refused."""
    folder = save(tmp_path / "run")
    (folder / "other.log").write_text("nothing\n")
    assert "No log was found" in text(report(folder))
    assert memtx("report", folder, "--log", folder / "other.log") == 1


def test_curves_of_tensorboard(tmp_path):
    tensorboard = pytest.importorskip("torch.utils.tensorboard")
    logdir = tmp_path / "events"
    for split in ("train_inner", "valid"):
        with tensorboard.SummaryWriter(str(logdir / split)) as writer:
            for step in (10, 20):
                writer.add_scalar("loss", 100 / step, step)
    page = report(save(tmp_path / "run", "--tensorboard-logdir", str(logdir)))
    assert "No log was found" in text(page)
    assert f"TensorBoard's files in {logdir}" in text(page)
    assert "loss over 20 updates: train_inner from 10 to 5; valid from 10 to 5." in alts(page)


def test_curves_of_checkpoints(tmp_path):
    folder = save(tmp_path / "run", updates=30, loss=1.0)
    save(folder, name="checkpoint1", updates=10, loss=3.0)
    (folder / "checkpoint2.pt").write_bytes(b"torn")
    page = report(folder)
    assert "No log was found" in text(page)
    assert alts(page) == ["loss over 30 updates: train from 3 to 1."]


# --- files beside the checkpoints ----------------------------------------------------------------


def test_pictures_and_measurements(tmp_path):
    folder = save(tmp_path / "run")
    (folder / "drawn").mkdir()
    Figure(figsize=(1, 1)).savefig(folder / "drawn/who_reads-what.png")
    for end in ("svg", "png"):  # the same picture twice
        (folder / f"a.{end}").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    points = [{"tokens": 1_000_000, "accuracy": 1.0}, {"tokens": 8, "accuracy": 0.34375}]
    (folder / "curve.jsonl").write_text("".join(f"{json.dumps(point)}\n" for point in points))
    (folder / "other.jsonl").write_text("no measurement\n[3]\n")
    page = report(folder)
    sources = {attrs["alt"]: attrs["src"] for _, attrs, _ in page.all("img")}
    assert len(sources) == 3
    assert sources["a: a picture of this run"].startswith("data:image/svg+xml;base64,")
    assert sources["who reads what: a picture of this run"].startswith("data:image/png;base64,")
    assert cells(page)["1,000,000"] == ["1"]
    assert cells(page)["8"] == ["0.3438"]
    captions = [data for _, _, data in page.all("caption")]
    assert "curve.jsonl" in captions
    assert "other.jsonl" not in captions


def test_translations_beside_their_source_and_reference(tmp_path):
    data = tmp_path / "data"
    (data / "raw").mkdir(parents=True)
    (data / "raw/test.de").write_text("Hallo <b>\nJa\n")
    (data / "raw/test.en").write_text("Hello\nYes\n")
    folder = save(tmp_path / "run", "-s", "de", "-t", "en")
    state = torch.load(folder / "checkpoint_last.pt", weights_only=False)
    state["cfg"]["task"]["data"] = str(data)
    torch.save(state, folder / "checkpoint_last.pt")
    (folder / "checkpoint_last.pt.test.txt").write_text("Hullo\nYes\n")
    (folder / "dict.txt").write_text("word 3\n")
    page = report(folder)
    assert cells(page)["Hallo <b>"] == ["Hullo", "Hello"]
    assert cells(page)["Ja"] == ["Yes", "Yes"]
    assert "word 3" not in "".join(data for _, _, data in page.all("pre"))


def test_what_fairseq_generate_printed_and_plain_text(tmp_path):
    folder = save(tmp_path / "run")
    (folder / "generate-test.txt").write_text(
        "S-1\tJa .\nT-1\tYes .\nH-1\t-0.2\tYea .\nD-1\t-0.2\tYea.\nP-1\t-0.1 -0.2\n"
    )
    (folder / "story.txt").write_text("<script>once</script>\n" + "a line\n" * 50)
    page = report(folder)
    assert cells(page)["Ja ."] == ["Yea.", "Yes ."]
    (story,) = [data for _, _, data in page.all("pre")]
    assert story.startswith("story.txt\n\n<script>once</script>\na line\n")
    assert story.count("a line") == 9
    assert not page.all("script")


# --- several runs --------------------------------------------------------------------------------


def test_a_folder_of_runs(tmp_path):
    save(tmp_path / "deep/first", arch="rmt_lm_tiny")
    save(tmp_path / "second")
    (tmp_path / "second/own.txt").write_text("own\n")
    (tmp_path / "both.txt").write_text("both\n")
    page = report(tmp_path, "--title", "Two & more")
    headings = [(tag, data) for tag, _, data in page.all("h1", "h2", "h3")]
    assert headings == [
        ("h1", "Two & more"),
        ("h2", "Samples"),
        ("h2", "deep/first"), ("h3", "Run"), ("h3", "Curves"), ("h3", "Settings"),
        ("h2", "second"), ("h3", "Run"), ("h3", "Samples"), ("h3", "Curves"), ("h3", "Settings"),
        ("h2", "Versions"),
    ]  # fmt: skip
    assert [data for _, _, data in page.all("pre")] == ["both.txt\n\nboth", "own.txt\n\nown"]


def test_where_it_is_written(tmp_path, capsys):
    folder = save(tmp_path / "run")
    assert memtx("report", folder, "--output", tmp_path / "new/page.html") == 0
    assert f"wrote {tmp_path / 'new/page.html'}" in capsys.readouterr().out
    assert not (folder / "report.html").exists()
    assert (tmp_path / "new/page.html").read_text().startswith("<!DOCTYPE html>")


# --- refusals ------------------------------------------------------------------------------------


def test_refusals(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "checkpoint_last.pt").write_bytes(b"PK\x03\x04")
    for name in ("one", "two"):
        save(tmp_path / "several" / name)
    for line, says in [
        ([tmp_path / "nowhere"], "there is no folder"),
        ([tmp_path / "empty"], "has no checkpoint: give the --save-dir"),
        ([torn], "checkpoint_last.pt"),
        ([tmp_path / "several", "--log", "x"], "--log is of one run"),
        ([tmp_path / "several/one", "--log", tmp_path / "x"], "cannot be read"),
    ]:
        assert memtx("report", *line) == 1
        error = capsys.readouterr().err
        assert says in error
        assert len(error.splitlines()) == 1, error
    assert not list(tmp_path.rglob("report.html*"))


# --- fairseq itself ------------------------------------------------------------------------------


@pytest.mark.training
def test_what_fairseq_leaves(toy_data, tmp_path):
    """A real training: its log file, its TensorBoard files, and its checkpoints, one by one."""
    run, log, events = tmp_path / "run", tmp_path / "log", tmp_path / "events"
    more = ["--log-file", log, "--tensorboard-logdir", events, "--max-update", 6]
    succeed("fairseq-train", *train_flags(toy_data, run, *more))
    losses = set()
    for gone, says in [(None, str(log)), (log, "TensorBoard"), (events, "checkpoints hold")]:
        if gone:
            gone.rename(tmp_path / f"{gone.name} gone")
        page = report(run)
        assert says in text(page)
        (alt,) = [alt for alt in alts(page) if alt.startswith("loss over 6 updates")]
        losses.add(re.search(r"valid from [\d.]+ to ([\d.]+)", alt)[1][:4])
        assert cells(page)["--memory-tokens"] == ["3", "10"]
    assert len(losses) == 1
