"""Gradients on the CPU of a machine that has a GPU."""

from typing import Callable

import torch
from fairseq import utils
from torch import Tensor

from . import says

UPSTREAM = "no thread found: clip_grad_norm_ in utils.py"


def needed() -> bool:
    return says(utils.clip_grad_norm_, "current_device")


def mend() -> None:
    """Let ``--cpu`` train where there is a GPU too.

    fairseq (``utils.clip_grad_norm_``) takes the norm to the GPU wherever there is one, and then
    multiplies gradients on the CPU by it, which torch refuses.
    """
    unmended = utils.clip_grad_norm_

    def clip_grad_norm_(params, max_norm, aggregate_norm_fn=None) -> Tensor:
        params = [params] if isinstance(params, Tensor) else list(params)
        return unmended(params, max_norm, brought_to(params, aggregate_norm_fn))

    utils.clip_grad_norm_ = clip_grad_norm_


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
