"""Weights of other code, used up name by name, and the checkpoint that is made of them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..checkpoints import contents
from ..errors import MemtxError


class Weights(dict[str, Tensor]):
    """Weights of a file; what nobody has taken is found at the end.

    Args:
        path: of the file.
        weights: by name.

    Raises:
        MemtxError: if there is anything but dense tensors of finite numbers.
    """

    def __init__(self, path: Path, weights: Any) -> None:
        tensors = isinstance(weights, dict) and all(map(torch.is_tensor, weights.values()))
        if not tensors or not weights:
            raise MemtxError(f"{path} is no state dict: save model.state_dict(), not the model")
        contents.check_weights(weights, str(path))
        super().__init__(weights)
        self.path = path

    def look(self, name: str, *shape: int) -> Tensor:
        """A weight.

        Args:
            name: in the file.
            shape: which it is to have; -1 is any size.

        Raises:
            MemtxError: if it is missing or has another shape.
        """
        if name not in self:
            raise MemtxError(f"{self.path} has no {name}: it is of another model or cut off")
        found = tuple(self[name].shape)
        if len(found) != len(shape) or any(a not in (-1, b) for a, b in zip(shape, found)):
            raise MemtxError(f"{self.path} has {name} of the shape {found}, where {shape} belongs")
        return self[name]

    def take(self, name: str, *shape: int) -> Tensor:
        """`look`, and the weight is gone."""
        self.look(name, *shape)
        return self.pop(name)

    def take_layers(self, here: str, there: str, names: dict[str, str]) -> dict[str, Tensor]:
        """Take the weights of all layers, under the names of the other side.

        Args:
            here: what stands before a layer's number.
            there: the same on the other side.
            names: of the parts of a layer, and of the same on the other side.
        """
        taken = {}
        for name in list(self):
            match = re.fullmatch(rf"{here}\.(\d+)\.(.+)\.(weight|bias)", name)
            if match and match[2] in names:
                layer, part, kind = match.groups()
                taken[f"{there}.{layer}.{names[part]}.{kind}"] = self.pop(name)
        return taken

    def finish(self) -> None:
        """Refuse what nobody took."""
        if self:
            raise MemtxError(f"{self.path} has weights that cannot be converted: {sorted(self)[0]}")


def picked_rows(table: Tensor, rows: list[int], missing: float) -> Tensor:
    """Rows of a table ``V x ...``, ``missing`` for row -1."""
    extra = table.new_full((1, *table.shape[1:]), missing)
    return torch.cat([table, extra])[rows]


def check_shapes(own: Mapping[str, Tensor], model: Mapping[str, Tensor], misfit: str) -> None:
    """Compare weights with those that a model of the same settings has.

    Raises:
        MemtxError: naming the first that does not fit, after ``misfit``.
    """
    for name in sorted(model.keys() | own.keys()):
        found, needed = (tuple(w[name].shape) if name in w else None for w in (own, model))
        if found != needed:
            raise MemtxError(f"{misfit}: {name} has the shape {found} and is to have {needed}")


def new_checkpoint(cfg: dict[str, Any], weights: dict[str, Tensor]) -> dict[str, Any]:
    """What ``fairseq-train`` would have saved before its first step."""
    history = {"criterion_name": "", "optimizer_name": "", "lr_scheduler_state": {}}
    return {
        "args": None,
        "cfg": cfg,
        "model": weights,
        "optimizer_history": [{**history, "num_updates": 0}],
        "extra_state": {"train_iterator": {"epoch": 1, "iterations_in_epoch": 0}},
        "last_optimizer_state": None,
    }
