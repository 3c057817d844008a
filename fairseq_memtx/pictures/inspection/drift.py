"""How memory drifts over segments."""

from typing import Any

from matplotlib.figure import Figure

from ..html_page import Table

PANELS = {
    "norm": "length",
    "to_before": "cosine to the segment before",
    "to_start": "cosine to the start",
}
METHOD = (
    "Every slot, and every layer memory, is a vector that changes from segment to segment. Means "
    "over rows of the set."
)
MANY = 12  # parts that are named in the picture


def pictures(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """One of all."""
    return {"": found}


def draw(found: dict[str, Any]) -> Figure:
    """Three panels, a line for every part of memory."""
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    parts = found["parts"]
    lines = []
    for axes, (name, words) in zip(figure.subplots(1, len(PANELS)), PANELS.items()):
        lines = [
            axes.plot([float("nan") if y is None else y for y in numbers[name]], marker=".")[0]
            for numbers in parts.values()
        ]
        axes.set_xlabel("segments read")
        axes.set_ylabel(words)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    if len(parts) <= MANY:
        figure.legend(lines, list(parts), loc="outside lower center", ncols=6, frameon=False)
    return figure


def told(found: dict[str, Any]) -> str:
    """What was found, in a sentence."""
    name, numbers = next(iter(found["parts"].items()))
    last = {key: values[-1] for key, values in numbers.items()}
    return (
        f"Memory over {len(numbers['norm']) - 1} segments: {name} has the length "
        f"{last['norm']:.2f} at the end, a cosine of {last['to_before']:.2f} with the segment "
        f"before and of {last['to_start']:.2f} with the start."
    )


def tables(found: dict[str, Any]) -> list[Table]:
    """Every part after the last segment."""
    rows = [
        [part, *("" if numbers[name][-1] is None else f"{numbers[name][-1]:.3f}"
                 for name in PANELS)]
        for part, numbers in found["parts"].items()
    ]  # fmt: skip
    return [Table("After the last segment", ["part", *PANELS.values()], rows, len(rows) > 12)]
