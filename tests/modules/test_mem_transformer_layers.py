"""The layers against plain, slow versions of their equations in float64."""

import math
from copy import deepcopy

import pytest
import torch
from conftest import VARIANTS, batch, build
from fairseq.modules.transformer_layer import TransformerEncoderLayerBase
from torch.nn import functional

M, T, B, C, H = 3, 5, 2, 16, 2


def attention(module, query, context, allowed):
    """MHA(Q, X, X) one sentence, head and query at a time; ``allowed``: B x queries x keys."""
    weights = module.state_dict()

    def project(x, name):
        return functional.linear(x, weights[f"{name}_proj.weight"], weights[f"{name}_proj.bias"])

    rows = torch.zeros_like(query)
    size = C // H
    for b in range(query.size(1)):
        q, k, v = (
            project(query[:, b], "q"),
            project(context[:, b], "k"),
            project(context[:, b], "v"),
        )
        for i in range(len(q)):
            for head in range(H):
                part = slice(head * size, (head + 1) * size)
                keys = [j for j in range(len(k)) if allowed[b, i, j]]
                scores = [float(q[i, part] @ k[j, part]) / math.sqrt(size) for j in keys]
                total = sum(math.exp(score) for score in scores)
                rows[i, b, part] = sum(
                    math.exp(score) / total * v[j, part] for score, j in zip(scores, keys)
                )
    return project(rows, "out")


def norm(module, x):
    x = x - x.mean(-1, keepdim=True)
    return x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * module.weight + module.bias


def sublayers(layer, query, context, allowed):
    """``A = LN(Q + MHA(Q, X, X)); LN(A + FF(A))`` and its pre-norm form."""
    before = layer.normalize_before
    first, last = layer.self_attn_layer_norm, layer.final_layer_norm
    q, k = (norm(first, query), norm(first, context)) if before else (query, context)
    a = query + attention(layer.self_attn, q, k, allowed)
    a = a if before else norm(first, a)
    hidden = functional.relu(layer.fc1(norm(last, a) if before else a))
    h = a + layer.fc2(hidden)
    return h if before else norm(last, h)


def by_the_equations(variant, layer, controller, x, real):
    """One layer as the reference document writes it; ``real``: B x (M + T)."""
    memory, sequence = x[:M], x[M:]
    sees_all = real.unsqueeze(1).expand(-1, M + T, -1)
    if variant == "tokens":
        return sublayers(layer, x, x, sees_all)
    new_memory = sublayers(controller, memory, x, sees_all)
    if variant in ("controller", "shared-controller"):
        return torch.cat([new_memory, sublayers(layer, sequence, x, sees_all)])
    context = new_memory
    allowed = torch.ones(B, T, M, dtype=torch.bool)
    if variant == "bottleneck-skip":
        # Dense attention over [memory; sequence], the sequence part of the mask the identity.
        context = torch.cat([new_memory, sequence])
        own = torch.eye(T, dtype=torch.bool).expand(B, T, T)
        allowed = torch.cat([allowed, own], dim=-1)
    return torch.cat([new_memory, sublayers(layer, sequence, context, allowed)])


@pytest.mark.parametrize("normalize_before", [False, True], ids=["post-norm", "pre-norm"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_layer_follows_its_equations(variant, normalize_before):
    model = build(variant, M, encoder_normalize_before=normalize_before)
    for parameter in model.parameters():  # biases and norms start at 0 and 1 and would hide faults
        torch.nn.init.normal_(parameter, std=0.4)
    encoder, layer = model.encoder, model.encoder.layers[1]
    controller = getattr(encoder, "memory_controller", None) or getattr(
        layer, "memory_controller", None
    )
    x = torch.randn(M + T, B, C, dtype=torch.float64)
    padding = torch.zeros(B, M + T, dtype=torch.bool)
    padding[1, M : M + 2] = True
    expected = by_the_equations(variant, layer, controller, x, ~padding)
    actual = layer(x, encoder_padding_mask=padding)
    real = ~padding.T
    torch.testing.assert_close(actual[real], expected[real])


def source_jacobian(layer, x, row):
    """How each source row of the output depends on source ``row`` of the input."""
    x = x.clone().requires_grad_()
    out = layer(x, encoder_padding_mask=None)[M:, 0, 0]  # a sum over C would be 0 after a norm
    return torch.stack(
        [torch.autograd.grad(o, x, retain_graph=True)[0][M + row, 0].abs().sum() for o in out]
    )


@pytest.mark.parametrize("variant", ["bottleneck", "bottleneck-skip"])
@pytest.mark.parametrize("normalize_before", [False, True], ids=["post-norm", "pre-norm"])
def test_source_reaches_source_only_through_memory(variant, normalize_before, monkeypatch):
    """With the updated memory held fixed no source token reaches another one; without, all do."""
    layer = build(variant, M, encoder_normalize_before=normalize_before).encoder.layers[0]
    x = torch.randn(M + T, 1, C, dtype=torch.float64)
    assert (source_jacobian(layer, x, 2) > 1e-9).all()

    read = layer.memory_controller.read
    monkeypatch.setattr(layer.memory_controller, "read", lambda *inputs: read(*inputs).detach())
    reached = source_jacobian(layer, x, 2)
    assert reached[2] > 1e-9
    assert reached[torch.arange(T) != 2].eq(0).all()


@pytest.mark.parametrize("variant", ["tokens", "controller"])
def test_other_variants_connect_source_tokens_directly(variant, monkeypatch):
    """The counterpart: the test above would notice a direct path."""
    layer = build(variant, M).encoder.layers[0]
    x = torch.randn(M + T, 1, C, dtype=torch.float64)
    if variant == "controller":
        read = layer.memory_controller.read
        monkeypatch.setattr(layer.memory_controller, "read", lambda *inputs: read(*inputs).detach())
    assert (source_jacobian(layer, x, 2) > 1e-9).all()


def test_shared_controller_is_one_and_saved_once():
    encoder = build("shared-controller", M).encoder
    saved = [key for key in encoder.state_dict() if "memory_controller" in key]
    assert saved
    assert all(key.startswith("memory_controller.") for key in saved)
    # Nothing but the controller's own weights beside those of the `tokens` variant.
    plain = build("tokens", M).encoder.state_dict()
    assert len(encoder.state_dict()) == len(plain) + len(saved)
    used = {id(layer._shared_controller[0]) for layer in encoder.layers}
    assert used == {id(encoder.memory_controller)}


def test_a_copy_of_the_model_has_its_own_shared_controller():
    """EMA and ensembles copy models; the copy must not read the original's controller."""
    model, source = build("shared-controller", M), batch(5, 3)
    copy = deepcopy(model)
    before = copy.encoder(source)["encoder_out"][0]
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    assert torch.equal(copy.encoder(source)["encoder_out"][0], before)
    assert copy.encoder.layers[1]._shared_controller[0] is copy.encoder.memory_controller


@pytest.mark.parametrize("variant", VARIANTS)
def test_half_precision(variant):
    model, source = build(variant, M), batch(5, 3)
    exact = model.encoder(source)["encoder_out"][0]
    rough = model.to(torch.bfloat16).encoder(source)["encoder_out"][0]
    assert rough.dtype == torch.bfloat16
    assert (rough.double() - exact).abs().mean() < 0.05


def test_weights_of_the_better_transformer_path_are_taken_out(monkeypatch):
    """PyPI's fairseq 0.12.2 gives every layer a second, untrained set of weights."""
    plain = build(memory_tokens=M)
    stock_init = TransformerEncoderLayerBase.__init__

    def init(self, cfg, return_fc=False):
        stock_init(self, cfg, return_fc)
        self.can_use_fastpath = True
        for name in ("in_proj_weight", "in_proj_bias", "fc2_bias"):
            self.register_parameter(name, torch.nn.Parameter(torch.zeros(4)))

    monkeypatch.setattr(TransformerEncoderLayerBase, "__init__", init)
    layer = build(memory_tokens=M).encoder.layers[0]
    assert not layer.can_use_fastpath
    assert layer.state_dict().keys() == plain.encoder.layers[0].state_dict().keys()
    saved = {**layer.state_dict(), "fc2_bias": torch.zeros(4), "in_proj_weight": torch.zeros(4)}
    layer.load_state_dict(saved)
