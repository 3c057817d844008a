"""Which tokens wrote memory, in one text."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..heat_map import heat_map
from ..html_page import Table

CELL = 0.2  # inches
SEGMENTS = 8  # that are shown, the last ones
METHOD = (
    "Gradient times input: a token's part in the step that memory made in its segment. Red wrote, "
    "blue held back."
)


def pictures(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """One of all."""
    return {"": found}


def draw(found: dict[str, Any]) -> Figure:
    """A table for each segment: parts of memory by the tokens of the segment."""
    words, length, parts = found["words"], found["segment_length"], found["parts"]
    starts = range(0, len(words), length)[-SEGMENTS:]
    shown = np.array(list(parts.values()))[:, starts[0] :]
    most = float(np.abs(shown).max()) or 1.0
    size = (CELL * length + 2.5, (CELL * len(parts) + 1.1) * len(starts))
    figure = Figure(figsize=size, layout="constrained")
    for axes, start in zip(figure.subplots(len(starts), 1, squeeze=False)[:, 0], starts):
        here = slice(start, start + length)
        weights = np.array([numbers[here] for numbers in parts.values()])
        limits = (-most, most)
        heat_map(axes, weights, list(parts), words[here], CELL, colours="RdBu_r",
                 limits=limits, meaning=None)  # fmt: skip
        axes.set_title(f"segment {start // length}", loc="left", fontsize=8)
    return figure


def told(found: dict[str, Any]) -> str:
    """What was found, in a sentence."""
    most = ", ".join(record["symbol"] for record in found["symbols"][:5])
    return f"Which tokens wrote memory in one text. Over all texts these write most: {most}."


def tables(found: dict[str, Any]) -> list[Table]:
    """Symbols that write most."""
    rows = [[r["symbol"], r["times"], f"{r['written']:.3f}"] for r in found["symbols"]]
    return [Table("Symbols that write most", ["symbol", "times read", "mean part"], rows)]
