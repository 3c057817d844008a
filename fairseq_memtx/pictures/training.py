"""Draw how trainings went, from the logs that ``fairseq-train`` prints.

Each metric has a panel, each log a line over the number of updates, and logs of one name, such as
runs with different seeds, one colour.
"""

import argparse

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import MemtxError
from .figure import check_format, labels, save
from .training_log import Curve, curve, named_logs, read

WIDTH, HEIGHT, NARROWEST = 8.0, 4.0, 3.0  # inches, of a picture and of a panel
LETTER, LINE_SAMPLE = 0.09, 0.6  # inches in the legend, with the space around them
COLOURS = 10  # C0 to C9 of matplotlib
FEW = 60  # points of a line that are marked one by one


def plot(options: argparse.Namespace) -> None:
    """Draw metrics of several logs, each of which has to have what is asked for."""
    check_format(options.output, "OUTPUT")
    if options.chance is not None and len(options.metric) > 1:
        raise MemtxError("--chance is of one metric, and there are more: leave it out")
    logs = named_logs(options.logs)
    if len(logs) > COLOURS:
        raise MemtxError(f"there are {len(logs)} names and {COLOURS} colours: draw two pictures")
    runs = {name: [(path, read(path)) for path in paths] for name, paths in logs.items()}
    panels = {
        metric: {
            name: [curve(path, log, options.split, metric) for path, log in pairs]
            for name, pairs in runs.items()
        }
        for metric in options.metric
    }
    save(draw(panels, options.split, options.title, options.chance), options.output, 150)
    print(f"wrote {options.output}: {', '.join(logs)}")


def draw(
    panels: dict[str, dict[str, list[Curve]]], split: str, title: str | None, chance: float | None
) -> Figure:
    """A figure with a panel for each metric, of curves by name, and one legend of the names."""
    width = max(WIDTH, NARROWEST * len(panels))
    figure = Figure(figsize=(width, HEIGHT), layout="constrained")
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
    axes.locator_params(axis="x", integer=True, nbins=4)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return shown
