"""What each memory slot covers of a document."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..heat_map import heat_map
from ..html_page import Table

CELL = 0.22  # inches
METHOD = (
    "The attention of each memory slot, over all heads of a layer and all documents of the set. "
    "Every document is cut into 32 stretches of the same length."
)


def pictures(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """One of all."""
    return {"": found}


def draw(found: dict[str, Any]) -> Figure:
    """A table for each layer: slots by stretches of the document, and memory at the end."""
    layers = found["layers"]
    slots, stretches = np.array(next(iter(layers.values()))).shape
    size = (CELL * stretches + 3.5, (CELL * slots + 1.4) * len(layers))
    figure = Figure(figsize=size, layout="constrained")
    for axes, (layer, shares) in zip(figure.subplots(len(layers), 1, squeeze=False)[:, 0],
                                     layers.items()):  # fmt: skip
        columns = [*(f"{place / (stretches - 1):.0%}" for place in range(stretches - 1)), "memory"]
        rows = [f"slot {slot}" for slot in range(slots)]
        heat_map(axes, shares, rows, columns, CELL, meaning="share of attention")
        axes.set_title(f"{layer}: where in the document slots look", loc="left", fontsize=9)
    return figure


def told(found: dict[str, Any]) -> str:
    """What was found, in a sentence."""
    shares = np.array(list(found["layers"].values()))  # layers x slots x stretches
    inside = shares[..., -1].mean()
    tokens = shares[..., :-1] / shares[..., :-1].sum(-1, keepdims=True)
    entropy = -(tokens * np.log(tokens.clip(1e-12))).sum(-1)
    covered = np.exp(entropy).mean() / tokens.shape[-1]
    return (
        f"Where memory slots look, in stretches of the documents: {inside:.1%} of their attention "
        f"stays in memory, and the rest covers {covered:.0%} of a document (2 to the entropy)."
    )


def tables(found: dict[str, Any]) -> list[Table]:
    """Symbols that slots look at beyond their frequency."""
    rows = [
        [f"slot {slot}", ", ".join(f"{s['symbol']} ({s['times_uniform']:.1f})" for s in symbols)]
        for slot, symbols in enumerate(found["symbols"])
    ]
    columns = ["slot", "symbols, and how many times uniform attention"]
    return [Table("What slots look at", columns, rows)]
