"""Weights of torch's BetterTransformer path, which some trees of fairseq have."""

from typing import Any

import torch

# PyPI's fairseq 0.12.2 gives every encoder layer a second, never trained set of weights for torch's
# BetterTransformer path, which then fails on left-padded batches and under DDP
# (https://github.com/facebookresearch/fairseq/issues/4858). Other trees have none of these names.
_FAST_PATH_WEIGHTS = [
    f"{module}_{kind}"
    for module in ("in_proj", "out_proj", "fc1", "fc2")
    for kind in ("weight", "bias")
]


def drop_fast_path(layer: torch.nn.Module) -> None:
    """Take the BetterTransformer path and its weights out of an encoder layer, if it has them."""
    vars(layer)["can_use_fastpath"] = False
    for name in _FAST_PATH_WEIGHTS:
        layer._parameters.pop(name, None)


def drop_fast_path_weights(state_dict: dict[str, Any], prefix: str) -> None:
    """Take the same weights out of a checkpoint that such a tree wrote."""
    for name in _FAST_PATH_WEIGHTS:
        state_dict.pop(prefix + name, None)
