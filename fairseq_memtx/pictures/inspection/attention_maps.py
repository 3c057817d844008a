"""Attention of one layer to one input, with a gap between memory and tokens."""

from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..heat_map import heat_map
from ..html_page import Table

CELL, SMALLEST = 0.12, 0.04  # inches
WIDEST = 40.0  # inches, of a picture
LAST = 2  # segments that are shown
METHOD = (
    "Who looks at whom: each row spreads a weight of 1 over the columns that it sees. In long "
    "inputs tokens beside each other are taken together. Of a text in segments the last two are "
    "drawn."
)


def pictures(found: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Maps by their layer, those of the last segments."""
    layers = dict.fromkeys(record["layer"] for record in found["maps"])
    last = sorted({record["part"] for record in found["maps"]})[-LAST:]
    return {
        layer: [m for m in found["maps"] if m["layer"] == layer and m["part"] in last]
        for layer in layers
    }


def draw(maps: list[dict[str, Any]]) -> Figure:
    """A figure with a column for each head and a row for each segment."""
    heads = sorted({record["head"] for record in maps})
    parts = sorted({record["part"] for record in maps})
    columns = max(len(record["keys"]) for record in maps)
    rows = max(len(record["queries"]) for record in maps)
    cell = min(CELL, max(SMALLEST, WIDEST / (columns + 12) / len(heads)))
    size = (cell * (columns + 12) * len(heads), (cell * (rows + 10) + 0.3) * len(parts))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(parts), len(heads), squeeze=False)
    for record in maps:
        axes = grid[parts.index(record["part"])][heads.index(record["head"])]
        weights = np.array(record["weights"])
        queries, weights = _with_gaps(record["queries"], record["query_kinds"], weights)
        keys, turned = _with_gaps(record["keys"], record["key_kinds"], weights.T)
        heat_map(axes, turned.T, queries, keys, cell, meaning=None)
        axes.set_facecolor("#e8e8e8")
        segment = f", segment {record['part']}" if len(parts) > 1 else ""
        axes.set_title(f"{record['layer']}, head {record['head']}{segment}", fontsize=9)
    return figure


def told(maps: list[dict[str, Any]]) -> str:
    """What is seen, in a sentence."""
    heads = len({record["head"] for record in maps})
    return (
        f"Attention of {maps[0]['layer']} to one input, {heads} heads: rows look at columns, and "
        "memory, named [m0] and so on (a segment's write block [w0] and so on), is set apart by a "
        "grey gap."
    )


def tables(found: dict[str, Any]) -> list[Table]:
    """None: the numbers are in the file."""
    return []


def _with_gaps(names: list[str], kinds: list[int], rows: np.ndarray) -> tuple[list[str], Any]:
    """Rows with one without numbers wherever their kind changes."""
    changes = [place + 1 for place, pair in enumerate(pairwise(kinds)) if pair[0] != pair[1]]
    return list(np.insert(np.array(names, object), changes, "")), np.insert(
        rows, changes, np.nan, axis=0
    )
