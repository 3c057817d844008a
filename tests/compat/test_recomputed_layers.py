"""``--checkpoint-activations`` changes no number."""

import pytest
import torch
from conftest import batch, build


@pytest.mark.parametrize("variant", ["tokens", "shared-controller"])
@pytest.mark.parametrize("offload", [False, True])
def test_recomputed_layers_have_the_same_gradient(variant, offload):
    """With dropout, whose masks are drawn again."""
    gradients = []
    for recompute in (False, True):
        flags = {"checkpoint_activations": recompute, "offload_activations": recompute and offload}
        model = build(variant, dropout=0.3, **flags).train()
        source = batch(6, 4)
        torch.manual_seed(3)
        model(source, None, source)[0].square().sum().backward()
        gradients.append([weight.grad for weight in model.parameters()])
    for stored, recomputed in zip(*gradients):
        torch.testing.assert_close(recomputed, stored, rtol=0, atol=1e-12)


def test_nothing_is_recomputed_without_a_gradient():
    model, source = build(checkpoint_activations=True), batch(6, 4)
    with torch.no_grad():
        assert not model(source, None, source)[0].requires_grad
