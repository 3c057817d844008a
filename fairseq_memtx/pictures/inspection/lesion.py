"""The metric of the task over the memory that is left."""

from typing import Any

from matplotlib.figure import Figure

from ..html_page import Table

METHOD = (
    "The same model with fewer memory tokens, on the whole set and by the metric of its task: the "
    "first so many of them, and all but one."
)


def pictures(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """One of all."""
    return {"": found}


def draw(found: dict[str, Any]) -> Figure:
    """Two panels: the first so many tokens left, and each one taken away."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    kept = [record for record in found["remaining"] if record["value"] is not None]
    left.plot([r["tokens"] for r in kept], [r["value"] for r in kept], marker="o")
    left.set_xlabel("memory tokens that remain, the first ones")
    alone = [record for record in found["without"] if record["value"] is not None]
    right.bar([r["token"] for r in alone], [r["value"] for r in alone], color="#56b4e9")
    right.set_xlabel("memory token that is taken away")
    values = [r["value"] for r in (*kept, *alone)]
    low, high = min(values), max(values)
    margin = max(0.08 * (high - low), 0.002 * abs(high), 1e-6)
    for axes in (left, right):
        axes.axhline(found["whole"], color="gray", linestyle="--", linewidth=1)
        axes.set_ylabel(found["metric"])
        axes.set_ylim(low - margin, high + margin)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def told(found: dict[str, Any]) -> str:
    """What was found, in a sentence."""
    metric, whole = found["metric"], found["whole"]
    none = found["remaining"][0]
    words = f"{metric} is {whole:.4g} with all memory tokens"
    if none["value"] is not None and none["tokens"] == 0:
        words += f" and {none['value']:.4g} with none"
    alone = [record for record in found["without"] if record["value"] is not None]
    if alone:
        worst = max(alone, key=lambda record: abs(record["value"] - whole))
        words += f"; of single tokens, number {worst['token']} matters most: {metric} is "
        words += f"{worst['value']:.4g} without it"
    return f"{words}. The dashed line is the whole model."


def tables(found: dict[str, Any]) -> list[Table]:
    """Both curves."""
    rows = [[f"first {r['tokens']} remain", _shown(r["value"])] for r in found["remaining"]]
    rows += [[f"without token {r['token']}", _shown(r["value"])] for r in found["without"]]
    return [Table(f"{found['metric']} by memory tokens", ["memory", found["metric"]], rows, True)]


def _shown(value: float | None) -> str:
    return "no such model" if value is None else f"{value:.4f}"
