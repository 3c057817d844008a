"""``fairseq-memtx plot training``: what is read of logs, what is drawn, clear errors."""

import errno
import json
import math
import os
from pathlib import Path

import pytest
from conftest import ROOT, fail, succeed, train_flags
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import imread

from fairseq_memtx.commands.main import run
from fairseq_memtx.errors import MemtxError
from fairseq_memtx.pictures import training, training_log

PLOT = ("plot", "training")
STAMP = "2026-01-01 12:00:00 | INFO |"


def valid(update: int, accuracy: object = 0.5, split: str = "valid") -> str:
    """A line as ``--log-format simple`` writes it after a validation."""
    return (
        f"{STAMP} {split} | epoch 001 | valid on '{split}' subset | loss 2.5 | accuracy {accuracy} "
        f"| ppl 5.66 | wps 0 | num_updates {update} | best_loss 2.5\n"
    )


def inner(update: int, loss: object = 1.5) -> str:
    """The same between validations."""
    return (
        f"{STAMP} train_inner | epoch 001:  {update:5d} / 3125 loss={loss}, ppl=2.83, wps=0, "
        f"num_updates={update}, lr=1e-05, wall=16\n"
    )


def in_json(split: str, **numbers: object) -> str:
    """A line of ``--log-format json``."""
    return f"{STAMP} {split} | {json.dumps({'epoch': 1, **numbers})}\n"


def write(path: Path, *lines: str) -> Path:
    """A log among whose lines are others that have numbers too."""
    noise = [
        "fairseq-memtx loaded\n",
        f"{STAMP} fairseq_cli.train | {{'optimization': {{'max_update': 40}}}}\n",
        f"{STAMP} fairseq_cli.train | Stopping training due to num_updates: 40 >= max_update: 40\n",
    ]
    path.write_text("".join([*noise, *lines]), encoding="utf-8")
    return path


def curve(log: Path, metric: str, split: str = "valid") -> training_log.Curve:
    return training_log.curve(log, training_log.read(log), split, metric)


# --- what is read --------------------------------------------------------------------------------


def test_simple_format(tmp_path):
    log = write(
        tmp_path / "log", inner(50, 3.5), inner(100, "nan"), valid(100, 0.25), valid(200, 1)
    )
    assert curve(log, "accuracy") == {100: 0.25, 200: 1.0}
    assert curve(log, "ppl") == {100: 5.66, 200: 5.66}
    loss = curve(log, "loss", "train_inner")
    assert loss[50] == 3.5
    assert math.isnan(loss[100])
    assert curve(log, "lr", "train_inner") == {50: 1e-5, 100: 1e-5}
    assert set(training_log.read(log)) == {"valid", "train_inner"}


def test_json_format(tmp_path):
    """All but ``train_inner`` has the name of the split before every name."""
    log = write(
        tmp_path / "log",
        in_json("train_inner", update=0.016, loss="3.5", num_updates="50", wall="16"),
        in_json("valid", valid_loss="2.5", valid_accuracy=0.25, valid_num_updates="100", odd=[1]),
    )
    assert training_log.read(log) == {
        "train_inner": {"loss": {50: 3.5}, "wall": {50: 16.0}},
        "valid": {"loss": {100: 2.5}, "accuracy": {100: 0.25}},
    }


def test_two_validation_sets(tmp_path):
    log = write(tmp_path / "log", valid(100, 0.25), valid(100, 0.75, split="heldout"))
    assert curve(log, "accuracy") == {100: 0.25}
    assert curve(log, "accuracy", "heldout") == {100: 0.75}


def test_later_lines_of_an_update_count(tmp_path):
    """A run that was killed after 300 updates and resumed from 100."""
    before = [valid(100, 0.1), valid(200, 0.2), valid(300, 0.3)]
    log = write(tmp_path / "log", *before, valid(200, 0.25), valid(300, 0.35), valid(400, 0.4))
    assert curve(log, "accuracy") == {100: 0.1, 200: 0.25, 300: 0.35, 400: 0.4}


@pytest.mark.parametrize("cut", [3, 30, 60, len("3 | best_loss 2.5\n"), 1])
def test_a_line_that_was_cut_off(cut, tmp_path):
    """The last of a killed run: alone, and with the first of the resumed run in the same line."""
    torn = valid(1503, 0.9)[:-cut]
    log = write(tmp_path / "log", valid(100, 0.1), torn)
    assert curve(log, "accuracy") == {100: 0.1}
    log = write(tmp_path / "log", valid(100, 0.1), torn, valid(200, 0.2))
    assert curve(log, "accuracy") == {100: 0.1, 200: 0.2}
    torn = in_json("valid", valid_accuracy=0.9, valid_num_updates=1503)[:-cut]
    log = write(tmp_path / "log", valid(100, 0.1), torn, valid(200, 0.2))
    assert curve(log, "accuracy") == {100: 0.1, 200: 0.2}


def test_bytes_that_are_no_text(tmp_path):
    log = write(tmp_path / "log", valid(100, 0.1))
    log.write_bytes(b"\xff\xfe\n" + log.read_bytes())
    assert curve(log, "accuracy") == {100: 0.1}


def test_logs_of_fairseq_itself(toy_data, tmp_path):
    """A training in one format, resumed in the other."""
    log = tmp_path / "train.log"
    with log.open("w") as file:
        for update, kind in ((4, "simple"), (8, "json")):
            flags = ("--max-update", update, "--log-format", kind, "--validate-interval-updates", 4)
            file.write(succeed("fairseq-train", *train_flags(toy_data, tmp_path, *flags)))
    assert list(curve(log, "loss", "train_inner")) == [2, 4, 6, 8]
    assert list(curve(log, "loss")) == [4, 6, 8]  # an epoch ends after 6
    assert curve(log, "loss")[4] > curve(log, "loss")[8] > 1
    assert {"loss", "nll_loss", "ppl", "best_loss"} <= set(training_log.read(log)["valid"])


# --- what is drawn -------------------------------------------------------------------------------


@pytest.fixture
def drawn(monkeypatch) -> list[Figure]:
    """The figures that the command drew."""
    figures = []

    def keep(*arguments):
        figures.append(draw(*arguments))
        return figures[-1]

    draw = training.draw
    monkeypatch.setattr(training, "draw", keep)
    return figures


@pytest.fixture
def logs(tmp_path) -> dict[str, Path]:
    """Two runs with memory and one without."""
    return {
        "one": write(tmp_path / "one", inner(50), valid(100, 0.25), valid(200, 0.5)),
        "two": write(tmp_path / "two", valid(200, 1), valid(100, 0.75)),
        "none": write(tmp_path / "none", valid(100, 0.125), valid(300, 0.0625)),
    }


@pytest.fixture
def arguments(logs, tmp_path) -> list[str]:
    """A command that works; later flags win."""
    names = [f"rmt={logs['one']}", f"no $M$={logs['none']}", f"rmt={logs['two']}"]
    return [str(tmp_path / "a new folder/plot.png"), *names, "--metric", "accuracy"]


def legend(figure: Figure) -> dict[str, str]:
    """Colours by what stands beside them."""
    (shown,) = figure.legends
    lines = shown.get_lines()
    texts = [text.get_text() for text in shown.get_texts()]
    return {text: to_hex(line.get_color()) for text, line in zip(texts, lines, strict=True)}


def test_a_line_for_each_log_and_a_colour_for_each_name(arguments, drawn):
    run([*PLOT, *arguments])
    (axes,) = drawn[0].axes
    lines = [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in axes.lines]
    assert lines == [
        ([100, 200], [0.25, 0.5]),
        ([100, 200], [0.75, 1.0]),
        ([100, 300], [0.125, 0.0625]),
    ]
    rmt, none = to_hex("C0"), to_hex("C1")
    assert [to_hex(line.get_color()) for line in axes.lines] == [rmt, rmt, none]
    assert legend(drawn[0]) == {"rmt (2 runs)": rmt, r"no \$M\$": none}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("updates", "accuracy (valid)")
    assert axes.get_xlim()[0] == 0
    assert drawn[0].get_suptitle() == ""


def test_title_chance_and_axis(arguments, drawn):
    run([*PLOT, *arguments, "--title", "Copy $8$", "--chance", "0.1"])
    assert drawn[0].get_suptitle() == r"Copy \$8\$"
    chance = drawn[0].axes[0].lines[-1]
    assert list(chance.get_ydata()) == [0.1, 0.1]
    assert legend(drawn[0])["chance: 0.1"] == to_hex(chance.get_color())


def test_a_panel_for_each_metric(arguments, drawn):
    run([*PLOT, *arguments, "--metric", "ppl"])
    assert [axes.get_ylabel() for axes in drawn[0].axes] == ["accuracy (valid)", "ppl (valid)"]
    assert [len(axes.lines) for axes in drawn[0].axes] == [3, 3]
    assert drawn[0].axes[1].lines[0].get_ydata().tolist() == [5.66, 5.66]
    assert len(legend(drawn[0])) == 2


def test_training_itself(logs, drawn, tmp_path):
    flags = ["--metric", "loss", "--split", "train_inner"]
    run([*PLOT, str(tmp_path / "plot.svg"), f"a={logs['one']}", *flags])
    (axes,) = drawn[0].axes
    assert axes.get_ylabel() == "loss (train_inner)"
    assert axes.lines[0].get_ydata().tolist() == [1.5]
    assert (tmp_path / "plot.svg").read_text().startswith("<?xml")


def test_single_points_are_seen():
    """A line through one point would be invisible; one through many needs no points."""
    few, many = {100: 0.5}, dict.fromkeys(range(500), 0.5)
    figure = training.draw({"loss": {"few": [few], "many": [many]}}, "valid", None, None)
    assert [line.get_marker() for line in figure.axes[0].lines] == [".", "None"]


def test_numbers_that_are_not_finite_leave_a_gap(tmp_path):
    log = write(tmp_path / "log", valid(1, "inf"), valid(2, 0.5), valid(3, "nan"), valid(4, 0.25))
    run([*PLOT, str(tmp_path / "plot.png"), f"a={log}", "--metric", "accuracy"])
    figure = training.draw({"": {"a": [curve(log, "accuracy")]}}, "valid", None, None)
    assert 0.25 > figure.axes[0].get_ylim()[0] > 0.2
    assert 0.5 < figure.axes[0].get_ylim()[1] < 0.55


def test_a_short_run_has_no_halves_of_updates():
    figure = training.draw({"loss": {"a": [{1: 0.5}]}}, "valid", None, None)
    figure.draw_without_rendering()
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("panels", [1, 3])
def test_picture_of_the_width_of_a_readme(panels):
    """Names of some length, of which the legend cuts none off, and room for the curves."""
    names = [f"recurrent memory of {count} tokens" for count in range(10)]
    curves = {name: [{100: 0.5, 200_000: 0.25}] for name in names}
    figure = training.draw({f"m{i}": curves for i in range(panels)}, "valid", None, None)
    figure.draw_without_rendering()
    (shown,) = figure.legends
    box, (width, height) = shown.get_window_extent(), figure.get_size_inches() * figure.dpi
    assert box.x0 >= 0
    assert box.x1 <= width
    assert 8 <= figure.get_size_inches()[0] < 10
    for axes in figure.axes:
        assert axes.get_window_extent().height > height / 3
        assert axes.get_tightbbox().y0 >= box.y1
        labels = axes.get_xticklabels()
        assert "200,000" in [label.get_text() for label in labels]
        places = [label.get_window_extent() for label in labels]
        assert all(left.x1 < right.x0 for left, right in zip(places, places[1:]))


def test_command(arguments):
    told = succeed("fairseq-memtx", *PLOT, *arguments, "--title", "Copy")
    output = Path(arguments[0])
    assert f"wrote {output}: rmt, no $M$" in told
    assert "DEBUG" not in told  # matplotlib's own talk, which fairseq turns on
    assert [path.name for path in output.parent.iterdir()] == ["plot.png"]
    pixels = imread(output)
    assert pixels.shape[:2] == (600, 1200)
    assert pixels.std() > 0.01


# --- errors --------------------------------------------------------------------------------------


def test_log_that_is_missing(arguments, tmp_path):
    line = fail("fairseq-memtx", *PLOT, *arguments[:2], f"b={tmp_path / 'gone'}", *arguments[2:])
    assert line.startswith("fairseq-memtx: error: ")
    assert line.endswith("gone cannot be read: No such file or directory")
    assert not Path(arguments[0]).parent.exists()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (
            ["--metric", "bleu"],
            r"one has no --metric bleu in the lines of valid: it has accuracy, ",
        ),
        (["--metric", "bleu"], r"accuracy, best_loss, loss, ppl, wps$"),
        (["--split", "test"], "one has no lines of --split test: it has train_inner, valid$"),
        (["--split", "train_inner"], "has no --metric accuracy .* it has loss, lr, ppl, wall, wps"),
        (["--metric", "ppl", "--chance", "0.1"], "--chance is of one metric"),
    ],
)
def test_what_a_log_does_not_have(arguments, flags, told):
    with pytest.raises(MemtxError, match=told) as error:
        run([*PLOT, *arguments, *flags])
    assert "\n" not in str(error.value)
    assert not Path(arguments[0]).parent.exists()


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "has nothing to draw: give what fairseq-train printed"),
        ([f"{STAMP} valid | loss 2.5\n"], "has nothing to draw"),
        ([valid(100, "nan"), valid(200, "inf")], "its accuracy is never a finite number"),
    ],
)
def test_nothing_to_draw(lines, told, arguments, tmp_path):
    log = write(tmp_path / "log", *lines)
    with pytest.raises(MemtxError, match=told):
        run([*PLOT, *arguments[:2], f"b={log}", *arguments[2:]])
    assert not Path(arguments[0]).parent.exists()


@pytest.mark.parametrize("pair", ["train.log", "=train.log", "rmt="])
def test_what_is_no_name_and_log(arguments, pair):
    with pytest.raises(MemtxError, match=f"{pair} is no NAME=LOG: use one such as"):
        run([*PLOT, arguments[0], pair, *arguments[1:]])


def test_equals_signs_in_name_and_path(tmp_path):
    """The file that is there decides what belongs to the name."""
    log = tmp_path / "lr=1" / "log"
    log.parent.mkdir()
    log.touch()
    assert training_log.named_logs([f"rmt, M=8={log}"]) == {"rmt, M=8": [log]}
    assert training_log.named_logs(["a=lr=1/log"]) == {"a": [Path("lr=1/log")]}


def test_more_names_than_colours(logs, tmp_path):
    names = [f"{number}={logs['one']}" for number in range(11)]
    flags = [str(tmp_path / "plot.png"), "--metric", "loss"]
    with pytest.raises(MemtxError, match="there are 11 names and 10 colours"):
        run([*PLOT, *flags[:1], *names, *flags[1:]])
    run([*PLOT, *flags[:1], *names[:10], *flags[1:]])


def test_output_of_another_kind(arguments):
    with pytest.raises(MemtxError, match=r"plot\.txt must end in \.png"):
        run([*PLOT, "plot.txt", *arguments[1:]])


def test_picture_that_cannot_be_written(arguments, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    for output in ("file/plot.png", "folder.png"):
        with pytest.raises(MemtxError, match=f"{output} cannot be written"):
            run([*PLOT, str(tmp_path / output), *arguments[1:]])
    assert not list(tmp_path.rglob("*.partial"))


def test_a_full_disk_leaves_the_old_picture(arguments, monkeypatch):
    output = Path(arguments[0])
    run([*PLOT, *arguments])
    old = output.read_bytes()

    def fill_disk(figure, path, **settings):
        path.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", fill_disk)
    with pytest.raises(MemtxError, match=r"plot\.png cannot be written: No space left"):
        run([*PLOT, *arguments])
    assert output.read_bytes() == old
    assert list(output.parent.iterdir()) == [output]


def test_matplotlib_is_missing(arguments, tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError('gone', name='matplotlib')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    line = fail("python", "-m", "fairseq_memtx", *PLOT, *arguments, env=environment)
    assert line == "fairseq-memtx: error: matplotlib is missing: pip install matplotlib"
