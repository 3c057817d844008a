"""Loading weights into a model whose memory differs from the checkpoint's.

Two experiments of the Memory Transformer paper need this: *memory extension* (add memory to a
trained model and go on training) and *memory lesion* (take memory away and look at the loss of
quality). Nothing is dropped or made up without a line in the log.
"""

import logging
from typing import Any, cast

import torch
from torch import nn

from ..errors import MemtxError, trains
from ..memory import MemoryTokens

logger = logging.getLogger(__name__)

# Parts that a checkpoint may have or not, whatever they are made of.
PARTS = {".memory_controller.": "memory controller", ".layer_memory.": "layer memory"}


def fit_memory(model: nn.Module, state_dict: dict[str, Any], memory: str) -> dict[str, Any]:
    """A copy of ``state_dict`` whose memory is as large as the model's.

    Memory tokens that both have are kept; the rest stay as the model initialised them. So do a
    memory controller and the memories of layers, if the checkpoint has none at all. ``memory`` is
    where the model has its `MemoryTokens`, such as ``encoder.memory``.
    """
    own, fitted, key = model.state_dict(), dict(state_dict), f"{memory}.weight"
    wanted, saved = len(own.get(key, ())), len(fitted.get(key, ()))
    if saved and not wanted:
        del fitted[key]
        _tell(f"memory lesion: all {saved} memory tokens of the checkpoint are left out")
    elif wanted != saved and fitted:
        tokens = cast(MemoryTokens, model.get_submodule(memory))
        fitted[key] = tokens.fitted(fitted.get(key, own[key][:0]))
        if wanted < saved:
            _tell(f"memory lesion: the first {wanted} of the checkpoint's {saved} tokens are kept")
        else:
            _tell(
                f"memory extension: {saved} memory tokens come from the checkpoint and "
                f"{wanted - saved} are newly initialised"
            )
    for part, what in PARTS.items():
        new = {key: value for key, value in own.items() if part in f".{key}"}
        if new and not any(part in f".{key}" for key in fitted):
            fitted.update(new)
            _tell(f"memory extension: the checkpoint has no {what}; it is newly initialised")
    return fitted


def tile_positions(state_dict: dict[str, Any], key: str, table: nn.Embedding | None) -> None:
    """Repeat a shorter table of positions until it is as long as the model's, as Longformer does.

    Row ``padding_idx + 1`` belongs to the first position; rows before it are kept as they are. A
    table that is longer than the model's is refused. ``state_dict`` is changed in place.
    """
    if key not in state_dict or table is None:
        return
    saved = state_dict[key]
    first = 0 if table.padding_idx is None else table.padding_idx + 1
    has, wants = len(saved) - first, len(table.weight) - first
    if has > wants:
        raise MemtxError(
            f"the checkpoint has {has} positions and the model {wants}: give --max-positions {has} "
            "or more"
        )
    if has < wants and saved.size(1) == table.weight.size(1):
        order = torch.arange(wants) % has + first
        state_dict[key] = torch.cat([saved[:first], saved[order]])
        _tell(f"the {has} positions of the checkpoint are repeated to {wants}")


def fit_memory_positions(
    model: nn.Module, state_dict: dict[str, Any], table: str, memory: str, count: int
) -> None:
    """Let a table of positions end with as many rows of memory's own as the model's.

    Rows that both have are kept; the rest stay as the model initialised them.

    Args:
        model: to be loaded into.
        state_dict: what was saved, before `fit_memory`; changed in place.
        table: where in the model it is, such as ``decoder.embed_positions``.
        memory: where its `MemoryTokens` are.
        count: the last rows of the model's table, which are memory's own.
    """
    key = f"{table}.weight"
    own, saved = model.state_dict().get(key), state_dict.get(key)
    if own is None or saved is None or len(own) == len(saved):
        return
    # Tables that differ by anything else are of models of another length.
    if len(saved) - (len(own) - count) in (0, len(state_dict.get(f"{memory}.weight", ()))):
        state_dict[key] = torch.cat([saved[: len(own)], own[len(saved) :].to(saved)])
        _tell(f"the {len(saved)} rows of {table} become {len(own)}: memory has {count} of its own")


def copy_memory_projections(model: nn.Module, state_dict: dict[str, Any]) -> None:
    """Let separate projections of the memory begin as copies of the tokens', if none are saved."""
    copied = False
    for key in model.state_dict():
        if ".memory_projections." in key and key not in state_dict:
            source = key.replace(".memory_projections.", ".")
            if source in state_dict:
                state_dict[key] = state_dict[source].clone()
                copied = True
    if copied:
        _tell("memory extension: memory's own projections begin as copies of the tokens'")


def fit_heads(model: nn.Module, state_dict: dict[str, Any], heads: str) -> None:
    """Keep the model's own heads where the checkpoint has none of their name or size.

    ``state_dict`` is changed in place; ``heads`` is where the model has them.
    """
    own = {key: value for key, value in model.state_dict().items() if key.startswith(f"{heads}.")}
    for key in [key for key in state_dict if key.startswith(f"{heads}.")]:
        if key not in own or own[key].shape != state_dict[key].shape:
            logger.warning(f"{key} of the checkpoint is left out: the model has no such head")
            del state_dict[key]
    for key, value in own.items():
        if key not in state_dict:
            logger.warning(f"{key} is newly initialised: the checkpoint has no such head")
            state_dict[key] = value


def misfit(model: nn.Module, state_dict: dict[str, Any]) -> MemtxError:
    """The error for a checkpoint that is of another model, in one line."""
    own = model.state_dict()
    both = own.keys() & state_dict.keys()
    problems = {
        "that the model has are missing": own.keys() - both,
        "are unknown to the model": state_dict.keys() - both,
        "have another shape": {key for key in both if own[key].shape != state_dict[key].shape},
    }
    listed = "; ".join(
        f"{len(keys)} weights {what} (such as {min(keys)})"
        for what, keys in problems.items()
        if keys
    )
    arch = "the --arch, " if trains() else ""
    return MemtxError(
        f"the checkpoint is of another model: {listed}. Use {arch}the sizes, the kind of memory "
        "and the dictionaries it was trained with"
    )


def _tell(what: str) -> None:
    if trains():
        what += (
            ". To train on, use --finetune-from-model (or --restore-file with --reset-optimizer): "
            "the optimizer's state in the checkpoint does not fit"
        )
    logger.warning(what)
