"""Attention with dropout: its mean, its gradient, its rate, what it keeps."""

import pytest
import torch
from torch.nn import functional

from fairseq_memtx.memory import attend, softmax_attention


def draw(queries: int = 5, keys: int = 7) -> list[torch.Tensor]:
    torch.manual_seed(3)
    return [
        torch.randn(4, 2, rows, 3, dtype=torch.float64, requires_grad=True)
        for rows in (queries, keys, keys)
    ]


@pytest.fixture(params=[1, 10_000])
def blocks(request, monkeypatch):
    """One of ``N`` at a time, or all at once."""
    monkeypatch.setattr(softmax_attention, "_IN_CACHE", request.param)


VISIBLE = torch.rand(4, 1, 5, 7, generator=torch.Generator().manual_seed(1)) > 0.3


@pytest.mark.parametrize("visible", [None, VISIBLE, VISIBLE[:1, :, :1]])
def test_is_attention_with_the_weights_that_are_kept(visible, blocks, monkeypatch):
    """The judge drops the same weights of a plain softmax, in float64, and so do gradients."""
    marks = []
    monkeypatch.setattr(
        softmax_attention,
        "draw_marks",
        lambda like, rate, draw=softmax_attention.draw_marks: (
            marks.append(draw(like, rate)) or marks[-1]
        ),
    )
    query, key, value = draw()
    ours = attend(query, key, value, visible, dropout=0.25)
    kept = torch.cat(marks) > 0
    scores = query @ key.transpose(-2, -1) / 3**0.5
    if visible is not None:
        scores = scores.masked_fill(~visible, -torch.inf)
    theirs = (scores.softmax(-1) * kept / 0.75) @ value
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-14)
    weight = torch.randn_like(ours)
    for mine, right in zip(
        torch.autograd.grad(ours, (query, key, value), weight),
        torch.autograd.grad(theirs, (query, key, value), weight),
    ):
        torch.testing.assert_close(mine, right, rtol=0, atol=1e-13)


def test_rate():
    """As many are dropped as asked for, independently of their neighbours."""
    torch.manual_seed(1)
    flat = torch.zeros(1, 1, 1000, 1)
    identity = torch.eye(1000).view(1, 1, 1000, 1000)
    query, key = flat, flat
    weights = torch.cat(
        [attend(query, key, identity[..., i : i + 100], dropout=0.1) for i in range(0, 1000, 100)],
        dim=-1,
    )
    assert set((weights * 1000 * 0.9).round(decimals=3).unique().tolist()) == {0.0, 1.0}
    dropped = weights.eq(0)
    assert abs(dropped.float().mean() - 0.1) < 0.002
    together = (dropped[..., 1:] & dropped[..., :-1]).float().mean()
    assert abs(together - 0.01) < 0.001


def test_same_seed_same_weights():
    def attended(seed: int) -> torch.Tensor:
        tensors = draw()
        torch.manual_seed(seed)
        return attend(*tensors, dropout=0.5)

    assert torch.equal(attended(1), attended(1))
    assert not torch.equal(attended(1), attended(2))


def test_without_dropout_it_is_torchs_own():
    query, key, value = draw()
    expected = functional.scaled_dot_product_attention(query, key, value, VISIBLE)
    assert torch.equal(attend(query, key, value, VISIBLE), expected)


def test_everything_dropped_and_nobody_to_see():
    query, key, value = draw()
    assert torch.equal(attend(query, key, value, dropout=1.0), torch.zeros_like(query))
    nothing = torch.zeros(1, 1, 1, 7, dtype=torch.bool)
    out = attend(query, key, value, nothing, dropout=0.5)
    out.sum().backward()
    assert all(x.isfinite().all() for x in (out, query.grad, key.grad, value.grad))


@pytest.mark.parametrize("rate", [0.0, 0.25])
def test_numbers_that_are_added_hide_as_well(rate, blocks):
    added = torch.zeros(VISIBLE.shape, dtype=torch.float64).masked_fill(~VISIBLE, -torch.inf)
    results = []
    for visible in (VISIBLE, added):
        torch.manual_seed(1)
        query, key, value = draw()
        out = attend(query, key, value, visible, rate)
        results.append([out, *torch.autograd.grad(out.square().sum(), (query, key, value))])
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-14)


@pytest.fixture
def no_fused(monkeypatch):
    def fail(*arguments, **options):
        raise AssertionError("torch's fused attention, whose way back is slow in bfloat16")

    monkeypatch.setattr(functional, "scaled_dot_product_attention", fail)


@pytest.mark.parametrize("visible", [None, VISIBLE, VISIBLE[:1, :, :1], "added"])
def test_bfloat16_is_spelled_out(visible, no_fused):
    """The judge computes from the same numbers in float64; bfloat16 has eight bits."""
    query, key, value = (x.detach().bfloat16().requires_grad_() for x in draw())
    exact = [x.detach().double().requires_grad_() for x in (query, key, value)]
    scores = exact[0] @ exact[1].transpose(-2, -1) / 3**0.5
    if visible == "added":
        visible = torch.zeros(VISIBLE.shape).masked_fill(~VISIBLE, -torch.inf)
        scores = scores + visible
    elif visible is not None:
        scores = scores.masked_fill(~visible, -torch.inf)
    ours, theirs = attend(query, key, value, visible), scores.softmax(-1) @ exact[2]
    assert ours.dtype == torch.bfloat16
    torch.testing.assert_close(ours.double(), theirs, rtol=0.02, atol=0.02)
    weight = torch.randn(theirs.shape)
    for mine, right in zip(
        torch.autograd.grad((ours * weight).sum(), (query, key, value)),
        torch.autograd.grad((theirs * weight).sum(), exact),
    ):
        torch.testing.assert_close(mine.double(), right, rtol=0.05, atol=0.05)


def test_bfloat16_is_dropped_too(no_fused):
    """Whose weights are all a thousandth: what is left of them says how many were kept."""
    torch.manual_seed(1)
    query, value = (
        torch.zeros(1, 1, 1000, 1).bfloat16().requires_grad_(),
        torch.eye(1000).bfloat16(),
    )
    weights = attend(query, query, value[None, None], dropout=0.1)
    assert len(weights.unique()) == 2
    assert abs(weights.eq(0).float().mean() - 0.1) < 0.002


def test_fused_where_it_is_quicker_or_keeps_less(monkeypatch):
    """In float32, and where the weights to keep would be many."""
    calls = []
    fused = functional.scaled_dot_product_attention
    monkeypatch.setattr(
        functional,
        "scaled_dot_product_attention",
        lambda *arguments, **options: calls.append(1) or fused(*arguments, **options),
    )
    attend(*(x.float() for x in draw()))
    assert len(calls) == 1
    half = [x.bfloat16() for x in draw()]
    attend(*half)
    assert len(calls) == 1
    monkeypatch.setattr(softmax_attention, "_KEPT", 2)
    attend(*half)
    assert len(calls) == 2


def test_what_is_recomputed_drops_the_same(no_fused):
    """A pass without gradients, and the same once more with them."""
    half = [x.detach().bfloat16().requires_grad_() for x in draw()]
    results = []
    for gradients in (False, True):
        torch.manual_seed(1)
        with torch.set_grad_enabled(gradients):
            results.append(attend(*half, dropout=0.5))
    assert torch.equal(*results)


def test_keeps_each_weight_once():
    """For the backward pass, beside queries, keys, values and output."""
    kept = []
    query, key, value = (torch.randn(1, 1, 300, 2, requires_grad=True) for _ in range(3))
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        attend(query, key, value, dropout=0.1)
    sizes = sorted(x.numel() * x.element_size() for x in kept)
    assert sizes == [2400] * 4 + [4 * 300 * 300]
