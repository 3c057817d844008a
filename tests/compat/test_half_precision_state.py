"""A run in half precision that is stopped goes on as it was: with its weights and its scale."""

import copy
import math
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from fairseq.dataclass.configs import FairseqConfig
from fairseq.optim import AMPOptimizer, FP16Optimizer
from fairseq.optim.adam import FairseqAdam, FairseqAdamConfig
from omegaconf import OmegaConf

DTYPES = [torch.float16, torch.bfloat16]


def optimizer(model: torch.nn.Module, dtype: torch.dtype) -> FP16Optimizer:
    """As fairseq's trainer makes it; flat gradients are for GPUs alone."""
    settings = OmegaConf.structured(FairseqConfig)
    settings.optimizer = OmegaConf.structured(FairseqAdamConfig(_name="adam", lr=[1e-3]))
    settings.common.fp16, settings.common.bf16 = dtype is torch.float16, dtype is torch.bfloat16
    settings.common.fp16_no_flatten_grads = True
    settings.common.fp16_scale_window = 25  # the scale grows between the stop and the end
    settings.distributed_training.distributed_world_size = 1
    return FP16Optimizer.build_optimizer(settings, list(model.parameters()))


def train(model: torch.nn.Module, trainer: FP16Optimizer, updates: range) -> None:
    """Some updates, of which the eighth overflows where the loss is scaled."""
    dtype = next(model.parameters()).dtype
    for update in updates:
        x = torch.randn(4, 8, generator=torch.Generator().manual_seed(update)).to(dtype)
        trainer.zero_grad()
        overflows = update == 7 and trainer.scaler is not None
        trainer.backward(model(x).float().pow(2).sum() * (math.inf if overflows else 1))
        with pytest.raises(OverflowError) if overflows else nullcontext():
            trainer.clip_grad_norm(1.0)
            trainer.step()


def saved(model: torch.nn.Module, trainer: FP16Optimizer) -> tuple[Any, Any]:
    return copy.deepcopy((model.state_dict(), trainer.state_dict()))


def resumed(weights: Any, state: Any, dtype: torch.dtype) -> tuple[torch.nn.Module, FP16Optimizer]:
    """As the trainer loads: the model, then an optimiser that is made from it."""
    model = torch.nn.Linear(8, 8).to(dtype)
    model.load_state_dict(weights)
    trainer = optimizer(model, dtype)
    trainer.load_state_dict(state)
    return model, trainer


def begin(dtype: torch.dtype) -> tuple[torch.nn.Module, FP16Optimizer]:
    torch.manual_seed(1)
    model = torch.nn.Linear(8, 8).to(dtype)
    trainer = optimizer(model, dtype)
    train(model, trainer, range(20))
    return model, trainer


@pytest.mark.parametrize("dtype", DTYPES)
def test_stopped_and_resumed_is_never_stopped(dtype):
    model, trainer = begin(dtype)
    other, its_trainer = resumed(*saved(model, trainer), dtype)
    train(model, trainer, range(20, 60))
    train(other, its_trainer, range(20, 60))
    for exact, its_exact in zip(trainer.fp32_params, its_trainer.fp32_params):
        assert torch.equal(exact, its_exact)
    if trainer.scaler is not None:
        assert vars(its_trainer.scaler) == vars(trainer.scaler)


@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_that_somebody_changed_count(dtype):
    """Such as those of an average that kept the optimiser's state."""
    weights, state = saved(*begin(dtype))
    weights["weight"] += 1
    _, trainer = resumed(weights, state, dtype)
    assert torch.equal(trainer.fp32_params[0], weights["weight"].float())


@pytest.mark.parametrize(
    "broken",
    [
        3,
        {},
        {"weights": None, "scaler": {"_iter": "many"}},
        {"weights": [None, None], "scaler": 1},
        {"weights": [torch.zeros(2), torch.zeros(8)]},
    ],
)
def test_what_is_of_another_model_is_passed_over(broken):
    weights, state = saved(*begin(torch.float16))
    _, trainer = resumed(weights, {**state, "half_precision": broken}, torch.float16)
    assert torch.equal(trainer.fp32_params[0], weights["weight"].float())


def test_checkpoints_of_a_fairseq_without_the_mend_load():
    weights, state = saved(*begin(torch.float16))
    del state["half_precision"]
    _, trainer = resumed(weights, state, torch.float16)
    assert torch.equal(trainer.fp32_params[0], weights["weight"].float())


def test_scale_of_amp():
    """The scale, and how long ago it was changed."""
    states = []
    for _ in range(2):
        parameter = torch.nn.Parameter(torch.ones(1))
        adam = {**vars(FairseqAdamConfig(lr=[0.1])), "tpu": False}
        common = {"fp16_init_scale": 8.0, "amp_scale_window": None, "min_loss_scale": 1e-4}
        cfg = OmegaConf.create({"common": common, "optimizer": adam})
        trainer = AMPOptimizer(cfg, [parameter], FairseqAdam(cfg.optimizer, [parameter]))
        trainer._grad_scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
        if states:
            trainer.load_state_dict(states[0])
        else:
            for factor in (1.0, float("inf"), 1.0):
                trainer.zero_grad()
                trainer.backward(parameter.sum() * factor)
                trainer.clip_grad_norm(1.0)
                trainer.step()
        states.append(copy.deepcopy(trainer.state_dict()))
    assert states[0]["half_precision"]["scaler"]["scale"] == 4.0
    assert states[0]["half_precision"]["scaler"]["_growth_tracker"] == 1
    assert states[1]["half_precision"] == states[0]["half_precision"]
