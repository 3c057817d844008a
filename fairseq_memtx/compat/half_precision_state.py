"""Runs in half precision that are stopped and resumed."""

from typing import Any, TypeGuard

import torch
from torch import Tensor

from . import around

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/755"

KINDS = [
    f"fairseq.optim:{kind}"
    for kind in ("FP16Optimizer", "MemoryEfficientFP16Optimizer", "AMPOptimizer")
]
STATE = "half_precision"  # under this name it lies in the optimiser's state
COUNTS = ("_iter", "_last_overflow_iter", "_last_rescale_iter", "_overflows_since_rescale")


@around(*(f"{kind}.state_dict" for kind in KINDS), told_by="fp32_optimizer")
def mend(state_dict: Any, optimizer: Any) -> dict[str, Any]:
    """Save what fairseq forgets: weights in full precision, and when the loss was last scaled.

    With ``--fp16`` and bf16 it trains on a copy in float32 and saves the model's weights alone, of
    which half the digits are gone (`fp16_optimizer.py`); of ``--amp`` it does not save the scale of
    the loss, and of ``--fp16`` not when the scale will grow. So a resumed run is another one. A
    fairseq without this mend passes over what is saved here.
    """
    weights = [param.detach() for param in _exact_weights(optimizer)]
    more = {"weights": weights, "scaler": _scaler_state(optimizer.scaler)}
    return {**state_dict(optimizer), STATE: more}


@mend.also(*(f"{kind}.load_state_dict" for kind in KINDS))
def _load(
    load: Any, optimizer: Any, state_dict: dict[str, Any], optimizer_overrides: Any = None
) -> None:
    state = dict(state_dict)
    more = state.pop(STATE, None)
    load(optimizer, state, optimizer_overrides)
    if not isinstance(more, dict):
        return
    _load_scaler(optimizer.scaler, more.get("scaler"))
    own, saved = _exact_weights(optimizer), more.get("weights", ())
    if own and _round_to(saved, own, optimizer.fp16_params[0].dtype):
        for param, exact in zip(own, saved):
            param.data.copy_(exact)


def _exact_weights(optimizer: Any) -> list[Tensor]:
    """One flat tensor a device, or one for every parameter; none where there is no copy."""
    params = getattr(optimizer, "fp32_params", [])
    return list(params.values() if isinstance(params, dict) else params)


def _round_to(saved: Any, own: list[Tensor], half: torch.dtype) -> TypeGuard[list[Tensor]]:
    """Whether these are the model's weights, which were loaded before, with more digits.

    They are not where somebody changed the weights of a checkpoint, and then those count.
    """
    return (
        isinstance(saved, list)
        and len(saved) == len(own)
        and all(isinstance(exact, Tensor) for exact in saved)
        and all(exact.shape == param.shape for exact, param in zip(saved, own))
        and all(
            torch.equal(exact.to(param.device, half), param.detach().to(half))
            for exact, param in zip(saved, own)
        )
    )


def _scaler_state(scaler: Any) -> dict[str, float]:
    """Of torch's scaler all, of fairseq's what stands beside the scale; nothing without one."""
    if isinstance(scaler, torch.amp.GradScaler):
        return scaler.state_dict()
    return {name: vars(scaler)[name] for name in COUNTS} if scaler is not None else {}


def _load_scaler(scaler: Any, saved: Any) -> None:
    own = _scaler_state(scaler)
    if not isinstance(saved, dict) or saved.keys() != own.keys():
        return  # of another precision
    if not all(isinstance(number, (int, float)) for number in saved.values()):
        return
    if isinstance(scaler, torch.amp.GradScaler) and own:
        scaler.load_state_dict(saved)
    elif own:
        vars(scaler).update(saved)
