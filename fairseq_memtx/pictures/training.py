"""Draw how trainings went, from the logs that ``fairseq-train`` prints.

    python scripts/plot_training.py OUTPUT.png NAME=LOG [NAME=LOG ...] --metric exact_match

draws a metric of the validation set over the number of updates, one line for each log. Logs of one
NAME, such as runs with different seeds, have one colour. ``--metric`` given again draws a panel
more; ``--split train_inner`` draws what was logged between validations.

``--log-format simple`` and ``json`` are read, also while a run goes on. Where a run was killed,
resumed and wrote on into its log, the later line of an update counts.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Dict

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from plot_memory import FORMATS, figure_class, labels
from written_aside import written_aside

from fairseq_memtx.errors import MemtxError

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT, NARROWEST = 8.0, 4.0, 3.0  # inches, of a picture and of a panel
LETTER, LINE_SAMPLE = 0.09, 0.6  # inches in the legend, with the space around them
COLOURS = 10  # C0 to C9 of matplotlib
FEW = 60  # points of a line that are marked one by one
WHERE = ("num_updates", "epoch", "update")  # numbers of a line that are no metrics

# A line that was cut off has no end, or the next line goes on in it: then its last start counts.
LINE = re.compile(r".*\| INFO \| (?P<split>\S+) \| (?P<text>.*)\n")
STATISTIC = re.compile(r"([^\s|,=]+)[ =]([^\s|,=]+)(?=, | \||$)")  # loss=1.5, or loss 1.5 |

Curve = Dict[int, float]  # the value after so many updates
Log = Dict[str, Dict[str, Curve]]  # by split and metric


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    options = parse(arguments)
    logging.getLogger().setLevel(logging.WARNING)  # importing fairseq's tasks sets it to DEBUG
    if options.output.suffix not in FORMATS:
        raise MemtxError(f"OUTPUT {options.output} must end in {', '.join(FORMATS)}")
    if options.chance is not None and len(options.metric) > 1:
        raise MemtxError("--chance is of one metric, and there are more: leave it out")
    logs = named_logs(options.logs)
    runs = {name: [(path, read(path)) for path in paths] for name, paths in logs.items()}
    panels = {
        metric: {
            name: [curve(path, log, options.split, metric) for path, log in pairs]
            for name, pairs in runs.items()
        }
        for metric in options.metric
    }
    save(draw(panels, options.split, options.title, options.chance), options.output)
    print(f"wrote {options.output}: {', '.join(logs)}")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    add = parser.add_argument
    add("output", type=Path, metavar="OUTPUT", help=f"the picture: {', '.join(FORMATS)}")
    add("logs", nargs="+", metavar="NAME=LOG", help="name in the legend, and a file")
    add("--metric", required=True, action="append", help="such as loss; again: a panel more")
    add("--split", default="valid", help="valid (default), train_inner or another validation set")
    add("--title", help="over the picture")
    add("--chance", type=float, metavar="Y", help="draw a line at what guessing would reach")
    return parser.parse_args(arguments)


def named_logs(pairs: list[str]) -> dict[str, list[Path]]:
    """The logs of each name.

    Raises:
        MemtxError: for what is no ``NAME=LOG``, and for more names than there are colours.
    """
    logs: dict[str, list[Path]] = {}
    for pair in pairs:
        # Names such as "M=8" and paths such as "lr=0.1/train.log" have the sign too.
        places = [place for place, letter in enumerate(pair) if letter == "="]
        place = next((p for p in places if Path(pair[p + 1 :]).is_file()), pair.find("="))
        name, path = pair[: max(place, 0)], pair[place + 1 :]
        if not name or not path:
            raise MemtxError(f"{pair} is no NAME=LOG: use one such as rmt=runs/1/train.log")
        logs.setdefault(name, []).append(Path(path))
    if len(logs) > COLOURS:
        raise MemtxError(f"there are {len(logs)} names and {COLOURS} colours: draw two pictures")
    return logs


def read(path: Path) -> Log:
    """All numbers of a log.

    Raises:
        MemtxError: if it cannot be read, or is no log of a training.
    """
    log: Log = {}
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for match in filter(None, map(LINE.match, lines)):
                found = statistics(match["split"], match["text"])
                if "num_updates" in found:
                    curves = log.setdefault(match["split"], {})
                    for metric in found.keys() - WHERE:
                        update = int(found["num_updates"])
                        curves.setdefault(metric, {})[update] = found[metric]
    except OSError as cause:
        raise MemtxError(f"the log {path} cannot be read: {cause.strerror}") from cause
    if not log:
        raise MemtxError(
            f"{path} has nothing to draw: give what fairseq-train printed with --log-format simple "
            "or json, after its first --log-interval updates"
        )
    return log


def statistics(split: str, text: str) -> dict[str, float]:
    """The numbers of one line, by their names; none in a line of another kind."""
    if text.startswith("{"):
        try:
            pairs = json.loads(text).items()
        except ValueError:  # the configuration, or a line that was cut off
            return {}
        prefix = f"{split}_"  # a valid_loss of the split valid
        pairs = [(n[len(prefix) :] if n.startswith(prefix) else n, value) for n, value in pairs]
    else:
        pairs = STATISTIC.findall(text)
    numbers = {}
    for name, value in pairs:
        with suppress(TypeError, ValueError):
            numbers[name] = float(value)
    return numbers


def curve(path: Path, log: Log, split: str, metric: str) -> Curve:
    """One line of the picture.

    Raises:
        MemtxError: if the log has no such split or metric, with what it has, or no finite number.
    """
    if split not in log:
        raise MemtxError(f"{path} has no lines of --split {split}: it has {', '.join(log)}")
    if metric not in log[split]:
        raise MemtxError(
            f"{path} has no --metric {metric} in the lines of {split}: it has "
            f"{', '.join(sorted(log[split]))}"
        )
    found = log[split][metric]
    if not any(map(math.isfinite, found.values())):
        raise MemtxError(f"{path} has nothing to draw: its {metric} is never a finite number")
    return found


def draw(
    panels: dict[str, dict[str, list[Curve]]], split: str, title: str | None, chance: float | None
) -> Figure:
    """A figure with a panel for each metric, and one legend of the names.

    Args:
        panels: curves by metric and name.
        split: what they were logged for.
        title: over all panels.
        chance: height of a horizontal line.
    """
    width = max(WIDTH, NARROWEST * len(panels))
    figure = figure_class()(figsize=(width, HEIGHT), layout="constrained")
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (metric, curves) in zip(all_axes, panels.items()):
        shown = draw_panel(axes, curves)
        axes.set_ylabel(*labels([f"{metric} ({split})"]))
        if chance is not None:
            line = axes.axhline(chance, color="gray", linestyle="--", linewidth=1)
            shown[f"chance: {chance:g}"] = line
    columns = int(width / (LETTER * max(map(len, shown)) + LINE_SAMPLE))
    figure.legend(
        shown.values(),
        labels(shown),
        loc="outside lower center",
        ncols=max(1, min(columns, len(shown))),
        frameon=False,
    )
    if title:
        figure.suptitle(*labels([title]))
    return figure


def draw_panel(axes: Axes, curves: dict[str, list[Curve]]) -> dict[str, Artist]:
    """Draw the curves of all names; returns what the legend says, and a line of each."""
    shown: dict[str, Artist] = {}
    for number, (name, runs) in enumerate(curves.items()):
        for run in runs:
            updates = sorted(run)
            (line,) = axes.plot(
                updates,
                [run[update] for update in updates],
                color=f"C{number}",
                linewidth=1.2,
                marker="." if len(run) <= FEW else None,
            )
        shown[name if len(runs) == 1 else f"{name} ({len(runs)} runs)"] = line
    axes.set_xlabel("updates")
    axes.set_xlim(left=0)
    axes.xaxis.get_major_locator().set_params(integer=True, nbins=4)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return shown


def save(figure: Figure, path: Path) -> None:
    """Write the picture."""
    with written_aside(path) as (partial,):
        figure.savefig(partial, format=path.suffix[1:], dpi=150)


if __name__ == "__main__":
    main()
