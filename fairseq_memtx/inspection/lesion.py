"""The metric of the task with fewer memory tokens: how many are needed, and which."""

from typing import Any

from tqdm import tqdm

from ..errors import MemtxError
from . import task_metric
from .kept_tokens import with_tokens
from .trained_model import TrainedModel

MOST = 12  # numbers of tokens that are tried


def measure(trained: TrainedModel, beam: int) -> dict[str, Any]:
    """Measure the model whole, with the first tokens alone, and with each one taken away.

    Returns:
        ``metric``, its name; ``whole``, its value; ``remaining``, records of ``tokens`` (the first
        so many remain) and ``value``; ``without``, records of ``token`` and ``value``. A value is
        None where there is no such model, and ``refused`` says why.
    """
    total = trained.memory_tokens
    lesions = [("remaining", count, list(range(count))) for count in _numbers(total)]
    if total > 1:
        lesions += [
            ("without", token, [*range(token), *range(token + 1, total)]) for token in range(total)
        ]
    whole = task_metric.measure(trained, trained.model, beam)
    found: dict[str, Any] = {"metric": whole.name, "whole": whole.value}
    found.update(remaining=[], without=[], refused=None)
    for kind, number, kept in tqdm(lesions, desc="lesion", leave=False):
        value = None
        try:
            value = task_metric.measure(trained, with_tokens(trained, kept), beam).value
        except MemtxError as cause:
            found["refused"] = str(cause)
        found[kind].append({"tokens" if kind == "remaining" else "token": number, "value": value})
    found["remaining"].append({"tokens": total, "value": whole.value})
    return found


def _numbers(total: int) -> list[int]:
    """Numbers of tokens below all of them, evenly spread where they are many."""
    return sorted({total * step // MOST for step in range(MOST)})
