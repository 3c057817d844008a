"""Activation functions by fairseq's names for them."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": nn.functional.relu,
    "gelu": nn.functional.gelu,
    "gelu_accurate": partial(nn.functional.gelu, approximate="tanh"),
    "gelu_fast": partial(nn.functional.gelu, approximate="tanh"),  # its older name
    "tanh": torch.tanh,
    "linear": nn.Identity(),
}
