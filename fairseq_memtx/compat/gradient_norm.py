"""Gradients on the CPU of a machine that has a GPU."""

from typing import Any, Callable

import torch
from torch import Tensor

from . import around

UPSTREAM = "no thread found: clip_grad_norm_ in utils.py"


@around("fairseq.utils:clip_grad_norm_", told_by="current_device")
def mend(unmended: Any, params: Any, max_norm: float, aggregate_norm_fn: Any = None) -> Tensor:
    """Let ``--cpu`` train where there is a GPU too.

    fairseq (``utils.clip_grad_norm_``) takes the norm to the GPU wherever there is one, and then
    multiplies gradients on the CPU by it, which torch refuses.
    """
    params = [params] if isinstance(params, Tensor) else list(params)
    return unmended(params, max_norm, brought_to(params, aggregate_norm_fn))


def brought_to(
    params: list[torch.nn.Parameter], aggregate: Callable[[Tensor], Tensor] | None
) -> Callable[[Tensor], Tensor]:
    """``aggregate``, and then to the device of the first parameter with a gradient."""
    gradients = (getattr(param, "grad", None) for param in params)
    devices = [gradient.device for gradient in gradients if gradient is not None]

    def norm_of_all(norm: Tensor) -> Tensor:
        norm = norm if aggregate is None else aggregate(norm)
        return norm.to(devices[0])

    return norm_of_all
