"""What a decoder takes from memory."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..heat_map import heat_map
from ..html_page import Table

CELL = 0.45  # inches
METHOD = (
    "The decoder's attention to the encoder's output, memory and source words alike, over all "
    "heads of a layer and all words of the set's references."
)


def pictures(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """One of all."""
    return {"": found}


def draw(found: dict[str, Any]) -> Figure:
    """Shares of the decoder's attention by layer and slot."""
    shares = np.array(list(found["layers"].values()))
    columns = [f"slot {slot}" for slot in range(shares.shape[1])]
    size = (CELL * len(columns) + 3.5, CELL * len(shares) + 1.8)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    heat_map(axes, shares, list(found["layers"]), columns, CELL, meaning="share of attention")
    for (row, column), value in np.ndenumerate(shares):
        colour = "white" if value > 0.6 * shares.max() else "black"
        axes.text(column + 0.5, row + 0.5, f"{value:.2f}", ha="center", va="center",
                  fontsize=7, color=colour)  # fmt: skip
    return figure


def told(found: dict[str, Any]) -> str:
    """What was found, in a sentence."""
    whole = {layer: sum(slots) for layer, slots in found["layers"].items()}
    slots = len(next(iter(found["layers"].values())))
    words = ", ".join(f"{share:.1%} in {layer}" for layer, share in whole.items())
    return (
        f"Of the decoder's attention to the encoder memory gets {words}; uniform attention would "
        f"give it {slots * found['uniform']:.1%}."
    )


def tables(found: dict[str, Any]) -> list[Table]:
    """Symbols that take most from memory."""
    rows = [[r["symbol"], r["times"], f"{r['share']:.3f}"] for r in found["symbols"]]
    columns = ["to be written", "times", "share from memory"]
    return [Table("Words for which the decoder looks at memory most", columns, rows)]
