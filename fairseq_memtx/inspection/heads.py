"""What every head does with memory, over a whole set."""

from dataclasses import asdict
from typing import Any

from ..memory import CLASSES
from ..modules.head_sums import HeadSums
from .trained_model import TrainedModel


def measure(trained: TrainedModel) -> dict[str, Any]:
    """Read the set and classify every head by the rule of `memory.head_classes`.

    Returns:
        ``heads``, a list of records with ``layer``, ``head``, ``class`` and shares of attention
        beside those of uniform attention; and ``counts`` of the classes.
    """
    sums = HeadSums()
    for sample in trained.read("attention of all heads"):
        with sums.listening(trained.model, sample["net_input"]):
            trained.look(sample)
    heads = [
        {"layer": layer, "head": number, "class": head.name, **asdict(head)}
        for layer, number, head in sums.heads()
    ]
    counts = {name: sum(head["class"] == name for head in heads) for name in CLASSES}
    return {"heads": heads, "counts": counts}
