"""What the state of an optimizer in a checkpoint may hold.

It is put in the place of the optimizer's own as it is, and is used in the first step: what is wrong
would come up there, where nobody knows of a checkpoint any more.
"""

import math
from typing import Any

import numpy as np
from torch import Tensor

from ..errors import MemtxError
from .settings import ADVICE

NUMBER = (int, float, np.number, Tensor)
# Of a group of weights; other settings may be None, and are numbers or text of none.
NEEDED = ("lr", "eps", "weight_decay", "momentum")
# The moments of all optimizers of fairseq that are as large as their weights begin so.
MOMENTS = ("exp_avg", "exp_inf", "max_exp_avg", "momentum_buffer", "acc_delta", "square_avg")


def check(state: dict[str, Any], path: str) -> None:
    """Refuse what no optimizer could have saved, naming it."""
    groups = state.get("param_groups", [])
    for group in groups:
        wrong = _wrong_group(group)
        if wrong:
            raise MemtxError(f"{path} has {wrong} in a group of its last_optimizer_state: {ADVICE}")
    largest_too = any(group.get("amsgrad") for group in groups)
    for weight, moments in state.get("state", {}).items():
        wrong = _wrong_moments(moments, largest_too)
        if wrong:
            raise MemtxError(
                f"{path} has {wrong} for weight {str(weight)[:40]} in its last_optimizer_state: "
                f"{ADVICE}"
            )


def _wrong_group(group: Any) -> str | None:
    if not isinstance(group, dict) or not _is_number(group.get("lr")):
        return "no learning rate"
    if not isinstance(group.get("params", []), list):
        return "no list of weights"
    betas = group.get("betas", (0, 0))
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        return "no two betas"
    for name, value in group.items():
        several = value if isinstance(value, (tuple, list)) else [value]
        may_be_none = name not in (*NEEDED, "betas")
        if not all((may_be_none and one is None) or _is_number(one) for one in several):
            return f"no number {name}"
    return None


def _wrong_moments(moments: Any, largest_too: bool) -> str | None:
    if not isinstance(moments, dict):
        return "no moments"
    step = moments.get("step", 0)
    if not _is_number(step) or step < 0:
        return "no number of steps"
    for name, value in moments.items():
        of_weight = str(name).startswith(MOMENTS)
        if of_weight and not (isinstance(value, Tensor) and value.is_floating_point()):
            return f"no {name}"
        if isinstance(value, str):
            return f"text for {name}"
        if of_weight and "sq" in name and value.numel() and value.min() < 0:
            return f"{name} below zero"
    # Adafactor has it in two parts, and Adamax the largest in its place.
    second = [name for name in moments if str(name).startswith(("exp_avg_sq", "exp_inf"))]
    if "exp_avg" in moments and not second:
        return "no exp_avg_sq"
    mean, square = moments.get("exp_avg"), moments.get("exp_avg_sq")
    if mean is not None and square is not None and mean.shape != square.shape:
        return "moments of different shapes"
    if largest_too and "exp_avg_sq" in moments and "max_exp_avg_sq" not in moments:
        return "no max_exp_avg_sq"
    return None


def _is_number(value: Any) -> bool:
    one = isinstance(value, NUMBER) and not (isinstance(value, Tensor) and value.numel() != 1)
    return one and math.isfinite(value)
