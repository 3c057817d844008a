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
    """Weights of a file by name, dense tensors of finite numbers; what nobody took is refused."""

    def __init__(self, path: Path, weights: Any) -> None:
        tensors = isinstance(weights, dict) and all(map(torch.is_tensor, weights.values()))
        if not tensors or not weights:
            raise MemtxError(f"{path} is no state dict: save model.state_dict(), not the model")
        contents.check_weights(weights, str(path))
        super().__init__(weights)
        self.path = path

    def look(self, name: str, *shape: int) -> Tensor:
        """A weight; refused if it is missing or has another shape, in which -1 is any size."""
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

    def take_named(self, names: Mapping[str, str]) -> dict[str, Tensor]:
        """Take the weights and biases of parts, under the names of the other side.

        ``names`` has a part's name here and there, with ``#`` for the number of a layer.
        """
        taken = {}
        for name in list(self):
            part, _, kind = re.sub(r"\.\d+\.", ".#.", name, count=1).rpartition(".")
            if part in names and kind in ("weight", "bias"):
                layer = re.search(r"\.(\d+)\.", name)
                there = names[part].replace("#", layer[1] if layer else "")
                taken[f"{there}.{kind}"] = self.pop(name)
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
    """Refuse weights that a model of these settings has not, naming the first after ``misfit``."""
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
