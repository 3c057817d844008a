"""Draw tokens a second of the document models over the length, from what the check wrote.

Launch: ``PYTHONPATH=tests:. python -m gpu_check.picture gpu_check.json FILE.png``
"""

import json
import sys
from pathlib import Path
from typing import Any

from fairseq_memtx.pictures.figure import Figure, save

PANELS = {"training, amp": "training, with autocast", "forward, amp": "forward, with autocast"}
SPEEDS = (30_000, 100_000, 300_000, 1_000_000)  # that the axis names
Curves = dict[str, list[tuple[int, int]]]


def main() -> None:
    """The command line: the results, and the picture."""
    source, target = map(Path, sys.argv[1:])
    save(draw(json.loads(source.read_text(encoding="utf-8"))["checks"]), target, 100)


def curves(checks: dict[str, Any], table: str) -> Curves:
    """Of every model (length, tokens a second), where it was reached and fits into the GPU."""
    found: Curves = {}
    for name, check in checks.items():
        if name.startswith("speed: documents of "):
            length = int(name.rpartition(" ")[2].replace(",", ""))
            for model, row in check.get("figures", {}).get(table, {}).items():
                if "tokens_per_second" in row:
                    found.setdefault(model, []).append((length, row["tokens_per_second"]))
    return {model: sorted(points) for model, points in found.items()}


def draw(checks: dict[str, Any]) -> Figure:
    """Training and forward side by side, a line for every model."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    panels = figure.subplots(1, len(PANELS), sharey=True)
    for axes, (table, title) in zip(panels, PANELS.items()):
        found = curves(checks, table)
        for model, points in found.items():
            axes.plot(*zip(*points), marker="o", label=model)
        lengths = sorted({length for points in found.values() for length, _ in points})
        axes.set(xscale="log", yscale="log", xlabel="tokens of a document")
        axes.set_xticks(lengths, [f"{length:,}" for length in lengths])
        axes.minorticks_off()
        axes.set_title(title)
        axes.grid(alpha=0.3)
    panels[0].set(ylabel="tokens/s")
    panels[0].set_yticks(SPEEDS, [f"{speed:,}" for speed in SPEEDS])
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


if __name__ == "__main__":
    main()
