"""A table of numbers as colours, with named rows and columns."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from .figure import labels

SMALL = 3.0  # points; names that would be smaller are left out
MANY = 1000  # cells that are drawn one by one; more become one picture inside the picture


def heat_map(
    axes: Axes,
    weights: Any,
    rows: list[str],
    columns: list[str],
    cell: float,
    *,
    colours: str = "Blues",
    limits: tuple[float | None, float | None] = (0, None),
    meaning: str | None = "attention weight",
) -> None:
    """Draw weights as a table with named rows and columns.

    Args:
        axes: to draw in.
        weights: numbers, ``rows x columns``; those that are not a number stay white.
        rows: their names.
        columns: their names.
        cell: height of a cell in inches.
        colours: matplotlib's name of a scale.
        limits: numbers of the first and the last colour; found among the weights, if None.
        meaning: of the numbers, beside a scale; no scale, if None.
    """
    mesh = axes.pcolormesh(
        np.asarray(weights, dtype=float),
        cmap=colours,
        vmin=limits[0],
        vmax=limits[1],
        edgecolors="white",
        linewidth=0.5,
        rasterized=len(rows) * len(columns) > MANY,
    )
    axes.invert_yaxis()
    font = 36 * cell  # points: half as high as a cell
    if font >= SMALL:
        places = (np.arange(len(names)) + 0.5 for names in (rows, columns))
        axes.set_yticks(next(places), labels(rows), fontsize=font)
        axes.set_xticks(next(places), labels(columns), fontsize=font, rotation=90)
    else:
        axes.set_xticks([])
        axes.set_yticks([])
    axes.tick_params(length=0)
    if meaning is not None:
        bar = axes.figure.colorbar(mesh, ax=axes, pad=0.02)
        bar.set_label(meaning, fontsize=8)
        bar.ax.tick_params(labelsize=8)
        bar.outline.set_visible(False)
