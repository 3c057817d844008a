"""Draw what ``fairseq-validate --length-curve`` measured: over the length of a text, in tokens."""

import argparse
import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ..errors import MemtxError
from .figure import check_format, labels, save

PANELS = {
    "accuracy": "accuracy",
    "seconds": "seconds",
    "peak_megabytes": "peak memory (MB)",
}
Points = list[dict[str, Any]]


def plot(options: argparse.Namespace) -> None:
    """Draw one line a file by the options of ``fairseq-memtx plot length-curve``."""
    check_format(options.output, "OUTPUT")
    save(draw({path.stem: read(path) for path in options.files}), options.output, 150)
    print(f"wrote {options.output}: {', '.join(path.stem for path in options.files)}")


def read(path: Path) -> Points:
    """The points of one file, by their length; a file that has none is refused."""
    try:
        points = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if not points or any(not {"tokens", "chance", *PANELS} <= point.keys() for point in points):
            raise ValueError("no points")
    except OSError as cause:
        raise MemtxError(f"{path} cannot be read: {cause.strerror}") from cause
    except (ValueError, AttributeError) as cause:
        raise MemtxError(
            f"{path} is no measurement: give what fairseq-validate --length-curve 8,32 "
            "--length-curve-file FILE wrote"
        ) from cause
    return sorted(points, key=lambda point: point["tokens"])


def draw(curves: dict[str, Points]) -> Figure:
    """A figure with accuracy, seconds and memory side by side, and chance as a dashed line."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    for axes, (field, name) in zip(figure.subplots(1, len(PANELS)), PANELS.items()):
        lines = [
            axes.plot(
                [point["tokens"] for point in points],
                [point[field] for point in points],
                marker=".",
                linewidth=1.2,
            )[0]
            for points in curves.values()
        ]
        axes.set_xscale("log")
        axes.set_xlabel("tokens")
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if field == "accuracy":
            for chance in sorted(
                {point["chance"] for points in curves.values() for point in points}
            ):
                axes.axhline(chance, color="gray", linestyle="--", linewidth=1)
        if field == "seconds":
            axes.set_yscale("log")
        else:
            most = 1 if field == "accuracy" else axes.dataLim.y1
            axes.set_ylim(0, 1.05 * most)  # a flat line is seen whole
    figure.legend(
        lines, labels(curves), loc="outside lower center", ncols=min(4, len(curves)), frameon=False
    )
    return figure
