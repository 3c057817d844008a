"""A claim in a picture: every pair a point, the mean and its interval, and what was asked for."""

from matplotlib.figure import Figure

from .evaluation import ClaimResult


def draw(result: ClaimResult) -> Figure:
    """A panel a sub-claim that has pairs."""
    parts = [part for part in result.parts if part.effect]
    figure = Figure(figsize=(6.5, 0.9 + 0.75 * len(parts)), layout="constrained")
    panels = figure.subplots(len(parts), squeeze=False)[:, 0]
    for part, axes in zip(parts, panels):
        found, wanted = part.effect, part.part
        axes.axvline(0, color="0.6", linewidth=0.8)
        border = -wanted.by if wanted.expect == "no-worse" else wanted.by
        axes.axvline(border, color="tab:red", linewidth=0.8, linestyle="--")
        axes.plot(found.differences, [0] * len(found.differences), "o", color="tab:blue", alpha=0.4)
        if found.low is not None:
            axes.plot([found.low, found.high], [0, 0], color="black")
        axes.plot([found.mean], [0], "D", color="black", markersize=5)
        axes.set(yticks=[], ylim=(-1, 1), xlabel=wanted.measure)
        axes.set_title(f"{wanted.name}: {part.verdict}", fontsize=9, loc="left")
        axes.spines[["top", "right", "left"]].set_visible(False)
    return figure


def told(result: ClaimResult) -> str:
    """What the picture shows."""
    return (
        "Differences of pairs (points), their mean (diamond) with its interval (line), and the "
        f"smallest effect of interest (dashed). Verdict: {result.verdict}."
    )
