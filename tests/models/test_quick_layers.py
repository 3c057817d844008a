"""Layers that are quick on a CPU compute what fairseq's compute, in every family."""

import conftest
import pytest
import test_gmat_roberta
import test_rmt_lm
import torch
from torch import Tensor, nn
from torch.nn import functional

MODELS = {
    **{f"mem_transformer, {v}": lambda v=v, **f: conftest.build(v, **f) for v in conftest.VARIANTS},
    "rmt_lm": lambda activation_fn: test_rmt_lm.build("--activation-fn", activation_fn),
    "rmt_lm, transformer": lambda activation_fn: test_rmt_lm.build(
        "--backbone", "transformer", "--activation-fn", activation_fn
    ),
    "gmat_roberta": lambda **flags: test_gmat_roberta.build(**flags),
}
NAMES = ("activation_fn", "activation")


def activations(model: nn.Module) -> list[tuple[nn.Module, str]]:
    """Where layers have theirs, those of the heads too."""
    return [(part, name) for part in model.modules() for name in NAMES if hasattr(part, name)]


def gradients(model: nn.Module) -> list[Tensor]:
    """Of a number that all weights have to do with."""
    source = conftest.batch(9, 5, left=False)
    if isinstance(model, conftest.MemoryTransformerModel):
        output = model(source, torch.tensor([9, 5]), source)[0]
    else:
        output = model(source)[0]
    model.zero_grad()
    output.sin().sum().backward()
    return [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]


@pytest.mark.parametrize("name", MODELS)
def test_relu_in_place_changes_nothing(name):
    model = MODELS[name](activation_fn="relu")
    places = activations(model)
    layers = [place for place in places if hasattr(place[0], "fc1")]
    assert layers
    assert all(getattr(*place) is functional.relu_ for place in layers)
    found = gradients(model)
    for part, attribute in places:
        setattr(part, attribute, functional.relu)
    for ours, expected in zip(found, gradients(model), strict=True):
        assert torch.equal(ours, expected)


@pytest.mark.parametrize("name", MODELS)
def test_other_activations_stay(name):
    model = MODELS[name](activation_fn="gelu")
    assert functional.relu_ not in {getattr(*place) for place in activations(model)}
