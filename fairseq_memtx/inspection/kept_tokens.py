"""The same model with some of its memory tokens: a lesion."""

import copy
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from omegaconf import OmegaConf, open_dict

from .trained_model import TrainedModel

MEMORY = ".memory.weight"
POSITIONS = "decoder.embed_positions.weight"


def with_tokens(trained: TrainedModel, kept: Sequence[int]) -> Any:
    """A model of the same weights with the memory tokens ``kept``, in their order.

    Raises:
        MemtxError: if there is no such model, as where a bottleneck would have nothing left.
    """
    model, total = trained.model, trained.memory_tokens
    cfg = copy.deepcopy(trained.cfg.model)
    with open_dict(cfg) if OmegaConf.is_config(cfg) else nullcontext():
        cfg.memory_tokens = len(kept)
    weights = dict(model.state_dict())
    rows = torch.tensor(kept, dtype=torch.long)
    for name, weight in model.state_dict().items():
        if name.endswith(MEMORY):
            weights[name] = weight[rows]
    if not kept:
        weights = {name: weight for name, weight in weights.items() if not name.endswith(MEMORY)}
    own = getattr(model.decoder, "own_positions", 0) if hasattr(model, "decoder") else 0
    if own:  # the last rows of the table are memory's
        table = weights[POSITIONS]
        weights[POSITIONS] = torch.cat([table[:-total], table[-total:][rows]])
    lesioned = trained.task.build_model(cfg)
    lesioned.load_state_dict(weights, strict=True, model_cfg=cfg)
    return lesioned.eval()
