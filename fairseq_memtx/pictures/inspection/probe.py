"""What a linear probe reads out of memory."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..heat_map import heat_map
from ..html_page import Table

CELL = 0.35  # inches
METHOD = (
    "A linear layer from memory to the answer, trained on one half of the rows and measured on the "
    "other. Shuffled is the same layer trained on answers of other rows: luck."
)
CONTROLS = ("most_frequent", "shuffled", "whole")


def pictures(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """One of all."""
    return {"": found}


def draw(found: dict[str, Any]) -> Figure:
    """Accuracy by question and by part of memory."""
    questions = found["questions"]
    parts = list(questions[0]["parts"])
    columns = [*(name.replace("_", " ") for name in CONTROLS), *parts]
    rows = [record["question"] for record in questions]
    weights = np.array([_numbers(record) for record in questions])
    size = (CELL * len(columns) + 4.5, CELL * len(rows) + 2)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    heat_map(axes, weights, rows, columns, CELL, limits=(0, 1), meaning="accuracy")
    for (row, column), value in np.ndenumerate(weights):
        colour = "white" if value > 0.6 else "black"
        axes.text(column + 0.5, row + 0.5, f"{value:.2f}", ha="center", va="center",
                  fontsize=7, color=colour)  # fmt: skip
    axes.axvline(len(CONTROLS), color="black", linewidth=1)
    return figure


def told(found: dict[str, Any]) -> str:
    """What was found, in a sentence."""
    record = max(found["questions"], key=lambda record: record["whole"] - record["shuffled"])
    return (
        f"Accuracy of linear probes on memory: for {record['question']} ({record['answers']} "
        f"answers) {record['whole']:.2f} from all of memory, {record['shuffled']:.2f} with "
        f"shuffled answers, {record['most_frequent']:.2f} by always saying the most frequent."
    )


def tables(found: dict[str, Any]) -> list[Table]:
    """Every question."""
    parts = list(found["questions"][0]["parts"])
    columns = ["asked", *(name.replace("_", " ") for name in CONTROLS), *parts]
    rows = [[r["question"], *(f"{x:.3f}" for x in _numbers(r))] for r in found["questions"]]
    return [Table("Accuracy of linear probes", columns, rows, True)]


def _numbers(record: dict[str, Any]) -> list[float]:
    return [*(record[name] for name in CONTROLS), *record["parts"].values()]
