"""What every head does with memory: layers by heads."""

from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from ..html_page import Table

# Told apart by people who see no red or no green, and in grey.
COLOURS = {"writes": "#d55e00", "works": "#e69fc5", "reads": "#56b4e9", "ignores": "#e6e6e6"}
MEANINGS = {
    "writes": "writes to memory: memory's rows look at tokens",
    "works": "works inside memory: memory's rows look at memory",
    "reads": "reads from memory: tokens' rows look at memory",
    "ignores": "ignores memory: takes it for no more than anything else",
}
METHOD = (
    "The rule: uniform attention would give memory the share u of a row's weight, that of its keys "
    "among all the row sees; the head gives it a. g = log2(a / (1 - a)) - log2(u / (1 - u)) says "
    "how much more it looks at memory, in bits of odds, with a and u means over all rows that see "
    "memory and tokens. A head reads if g of tokens' rows is at least 0.585 (odds of 3 to 2), "
    "works if that of memory's rows is, writes if that is at most -0.585, is what it is most, and "
    "ignores memory otherwise. Rows that see one kind alone count only where a head has no others."
)
WIDE, HIGH = 0.9, 0.55  # inches, of a cell


def pictures(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """One of all."""
    return {"": found}


def draw(found: dict[str, Any]) -> Figure:
    """A table of coloured cells, with the share of attention that the class is about."""
    heads = found["heads"]
    layers = list(dict.fromkeys(record["layer"] for record in heads))
    columns = max(record["head"] for record in heads) + 1
    size = (max(WIDE * columns + 1.6, 7.5), HIGH * len(layers) + 2)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    for record in heads:
        place = record["head"], layers.index(record["layer"])
        axes.add_patch(Rectangle(place, 1, 1, facecolor=COLOURS[record["class"]], edgecolor="w"))
        words = f"{record['class']}\n{share(record):.2f}"
        axes.text(place[0] + 0.5, place[1] + 0.5, words, ha="center", va="center", fontsize=8)
    axes.set_xlim(0, columns)
    axes.set_ylim(len(layers), 0)
    axes.set_xticks([head + 0.5 for head in range(columns)], map(str, range(columns)))
    axes.set_yticks([row + 0.5 for row in range(len(layers))], layers)
    axes.set_xlabel("head")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    handles = [Patch(color=COLOURS[name], label=words) for name, words in MEANINGS.items()]
    figure.legend(handles=handles, loc="outside lower left", frameon=False, fontsize=8)
    return figure


def share(record: dict[str, Any]) -> float:
    """The share of its attention that a head's class is about."""
    of_memory, of_tokens = record["memory_to_memory"], record["tokens_to_memory"]
    if record["class"] == "writes":
        return float(1 - of_memory)
    chosen = of_memory if record["class"] == "works" or of_tokens is None else of_tokens
    return float(chosen)


def told(found: dict[str, Any]) -> str:
    """What was found, in a sentence."""
    counts = ", ".join(f"{count} {name}" for name, count in found["counts"].items())
    return (
        f"Layers by heads, each cell the class of a head: of {len(found['heads'])} heads {counts}. "
        "The number is the share of its attention that the class is about."
    )


def tables(found: dict[str, Any]) -> list[Table]:
    """All heads with their shares of attention, and those of uniform attention."""
    names = ("memory_to_memory", "tokens_to_memory")
    columns = ["head", "class", *(f"{name.replace('_', ' ')} (uniform)" for name in names)]
    rows = [
        [
            f"{record['layer']}, head {record['head']}",
            record["class"],
            *(_both(record[name], record[f"{name}_uniform"]) for name in names),
        ]
        for record in found["heads"]
    ]
    return [Table("Heads and where their attention goes", columns, rows, folded=len(rows) > 12)]


def _both(share: float | None, uniform: float | None) -> str:
    return "none" if share is None or uniform is None else f"{share:.3f} ({uniform:.3f})"
