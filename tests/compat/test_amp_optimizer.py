"""``--amp``: what the optimiser gets are the gradients of the loss."""

import pytest
import torch
from fairseq.optim import OPTIMIZER_REGISTRY, AMPOptimizer
from fairseq.optim.adam import FairseqAdamConfig
from omegaconf import OmegaConf


def amp(parameter: torch.nn.Parameter, scale: float, name: str = "adam") -> AMPOptimizer:
    """Fairseq's optimiser around Adam, with a scaler for a CPU."""
    adam = {**vars(FairseqAdamConfig(lr=[0.1])), "tpu": False}
    common = {"fp16_init_scale": scale, "amp_scale_window": None, "min_loss_scale": 1e-4}
    cfg = OmegaConf.create({"common": common, "optimizer": adam})
    optimizer = AMPOptimizer(cfg, [parameter], OPTIMIZER_REGISTRY[name](cfg.optimizer, [parameter]))
    optimizer._grad_scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    return optimizer


@pytest.mark.parametrize("name", ["adam", "fused_adam"])
@pytest.mark.parametrize("scale", [1.0, 128.0, 65536.0])
def test_gradients_are_unscaled_once(scale, name):
    """With clipping in between, and however large the scale is."""
    parameter = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = amp(parameter, scale, name)
    optimizer.backward((3 * parameter).sum())
    assert float(optimizer.clip_grad_norm(100.0)) == pytest.approx(18**0.5)
    optimizer.step()
    assert parameter.grad.tolist() == [3.0, 3.0]
    assert parameter.tolist() == pytest.approx([0.9, 1.9])


@pytest.mark.parametrize("name", ["adam", "fused_adam"])
def test_overflow_changes_no_weight_and_lowers_the_scale(name):
    parameter = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = amp(parameter, 128.0, name)
    optimizer.backward(parameter.sum() * float("inf"))
    assert not optimizer.clip_grad_norm(1.0).isfinite()
    optimizer.step()
    assert parameter.tolist() == [1.0]
    assert optimizer.scaler.get_scale() == 64.0
