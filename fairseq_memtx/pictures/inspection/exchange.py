"""Whose output follows, when parts of memory are exchanged between two inputs."""

from typing import Any

from matplotlib.figure import Figure

from ..html_page import Table

ALL, OWN = "all", "none"
METHOD = (
    "Every input has a partner, the next one in its batch. Both are read up to where memory is "
    "handed over; there a part of the input's memory is replaced by its partner's, and what "
    "follows is predicted. A place is decided by memory if its likeliest symbol changes when all "
    "of memory is exchanged; it follows a part if exchanging that part alone makes it that symbol."
)


def pictures(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """One of all."""
    return {"": found}


def draw(found: dict[str, Any]) -> Figure:
    """Bars of how many decided places follow each part, and how far the output moves."""
    records = [record for record in found["exchanged"] if record["part"] != OWN]
    names = [record["part"] for record in records]
    figure = Figure(figsize=(max(8, 0.42 * len(names) + 4), 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.bar(names, [record["follows"] or 0 for record in records], color="#0072b2")
    left.set_ylim(0, 1.02)
    left.set_ylabel("share that follows the partner")
    right.bar(names, [record["moved"] for record in records], color="#d55e00")
    right.set_ylabel("how far the output moves (bits)")
    for axes in (left, right):
        axes.tick_params("x", rotation=90)
        axes.set_xlabel("what is exchanged")
        axes.grid(axis="y", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def told(found: dict[str, Any]) -> str:
    """What was found, in a sentence."""
    own, whole, *parts = found["exchanged"]
    words = f"Of {found['places']} predicted places memory decides {found['decided']}."
    if whole["partners"] is not None:
        words += (
            f" With its own memory {own['own']:.0%} of the answers are the input's; with all of "
            f"its partner's {whole['own']:.0%} are, and {whole['partners']:.0%} are the partner's."
        )
    if parts and found["decided"]:
        most = max(parts, key=lambda record: record["follows"] or 0)
        words += f" Of single parts {most['part']} is followed most: {most['follows']:.0%}."
    return words


def tables(found: dict[str, Any]) -> list[Table]:
    """All that was exchanged."""
    names = ("follows", "own", "partners", "bits", "moved")
    columns = ["exchanged", "follows", "right for itself", "right for the partner",
               "bits", "moved (bits)"]  # fmt: skip
    rows = [
        [
            record["part"],
            *("" if record[name] is None else f"{record[name]:.3f}" for name in names),
        ]
        for record in found["exchanged"]
    ]
    return [Table("Exchanged parts of memory", columns, rows, folded=len(rows) > 14)]
