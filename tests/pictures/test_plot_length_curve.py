"""``fairseq-memtx plot length-curve``: what is read, what is drawn, clear errors."""

import json
from argparse import Namespace
from pathlib import Path

import pytest
from conftest import ROOT  # noqa: F401  (the plugin comes first)
from matplotlib.image import imread

from fairseq_memtx.commands.main import run
from fairseq_memtx.errors import MemtxError
from fairseq_memtx.pictures import length_curve


def write(path: Path, *tokens: int, chance: float = 0.25) -> Path:
    points = [
        {
            "segments": 1, "tokens": n, "accuracy": 1 / n, "examples": 4, "chance": chance,
            "seconds": n / 10, "tokens_per_second": 10.0, "peak_megabytes": 100 + n,
        }
        for n in tokens
    ]  # fmt: skip
    path.write_text("".join(json.dumps(point) + "\n" for point in points))
    return path


def test_a_line_for_each_file(tmp_path):
    files = [write(tmp_path / "rmt.jsonl", 32, 8), write(tmp_path / "armt.jsonl", 8, chance=0.5)]
    figure = length_curve.draw({path.stem: length_curve.read(path) for path in files})
    accuracy, seconds, memory = figure.axes
    drawn = [[line.get_xydata().tolist() for line in axes.lines[:2]] for axes in figure.axes]
    assert drawn == [
        [[[8, 1 / 8], [32, 1 / 32]], [[8, 1 / 8]]],
        [[[8, 0.8], [32, 3.2]], [[8, 0.8]]],
        [[[8, 108], [32, 132]], [[8, 108]]],
    ]
    assert [line.get_ydata()[0] for line in accuracy.lines[2:]] == [0.25, 0.5]
    assert len(seconds.lines) == len(memory.lines) == 2
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["rmt", "armt"]
    assert {axes.get_xscale() for axes in figure.axes} == {seconds.get_yscale()} == {"log"}
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "accuracy", "seconds", "peak memory (MB)"
    ]  # fmt: skip
    assert accuracy.get_ylim() == (0, 1.05)
    assert memory.get_ylim() == pytest.approx((0, 1.05 * 132))


def test_the_command(tmp_path, capsys):
    file, picture = write(tmp_path / "rmt.jsonl", 8, 32), tmp_path / "curve.png"
    run(["plot", "length-curve", str(file), str(picture)])
    assert imread(picture).shape[0] > 100
    assert f"wrote {picture}: rmt" in capsys.readouterr().out


def test_what_is_no_measurement(tmp_path):
    without_chance = '{"tokens": 8, "accuracy": 1, "seconds": 1, "peak_megabytes": 9}\n'
    for content in ("", "[]\n", "3\n", without_chance, "segments tokens\n"):
        path = tmp_path / "other.txt"
        path.write_text(content)
        with pytest.raises(MemtxError, match=r"other.txt is no measurement: give what fairseq-val"):
            length_curve.read(path)
    with pytest.raises(MemtxError, match=r"missing.jsonl cannot be read: No such file"):
        length_curve.read(tmp_path / "missing.jsonl")


def test_what_no_picture_is_written_to(tmp_path):
    with pytest.raises(MemtxError, match=r"OUTPUT .*curve.txt must end in .png"):
        length_curve.plot(Namespace(files=[tmp_path / "missing"], output=tmp_path / "curve.txt"))
