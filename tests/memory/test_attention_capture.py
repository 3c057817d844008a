"""``capture_attention``: every call and head, exactly, and nothing where nobody asks."""

import math

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from fairseq_memtx.memory import AttentionSoftmax, capture_attention

CHANNELS, HEADS = 8, 2


@pytest.fixture
def attention() -> nn.MultiheadAttention:
    torch.manual_seed(1)
    return nn.MultiheadAttention(CHANNELS, HEADS, batch_first=True, dtype=torch.float64).eval()


def rows(length: int, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, length, CHANNELS, dtype=torch.float64)


def judge(attention: nn.MultiheadAttention, query, context, seen=None) -> torch.Tensor:
    """Weights by their definition, one number after the other."""
    width = CHANNELS // HEADS
    q_weight, k_weight, _ = attention.in_proj_weight.detach().chunk(3)
    q_bias, k_bias, _ = attention.in_proj_bias.detach().chunk(3)
    weights = torch.zeros(len(query), HEADS, query.size(1), context.size(1), dtype=torch.float64)
    for b, head, i in torch.cartesian_prod(*map(torch.arange, weights.shape[:3])).tolist():
        part = slice(head * width, (head + 1) * width)
        q = q_weight[part] @ query[b, i] + q_bias[part]
        scores = {
            j: float(q @ (k_weight[part] @ context[b, j] + k_bias[part])) / math.sqrt(width)
            for j in range(context.size(1))
            if seen is None or seen[b, i, j]
        }
        total = sum(map(math.exp, scores.values()))
        for j, score in scores.items():
            weights[b, head, i, j] = math.exp(score) / total
    return weights


def test_every_call_and_head_is_kept_in_order(attention):
    inputs = rows(3), rows(5)
    with capture_attention(nn.Sequential(attention)) as maps:
        for x in inputs:
            attention(x, x, x, need_weights=False)
    assert list(maps) == ["0"]
    for weights, x in zip(maps["0"], inputs, strict=True):
        torch.testing.assert_close(weights, judge(attention, x, x), rtol=0, atol=1e-14)


@pytest.mark.parametrize("asked", [{}, {"need_weights": False}, {"average_attn_weights": False}])
def test_masks_are_seen_and_the_caller_gets_what_it_asked_for(attention, asked):
    query, context = rows(4), rows(5)
    hidden = torch.rand(4, 5) > 0.7
    hidden[:, 0] = False
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    arguments = {"key_padding_mask": padding, "attn_mask": hidden, **asked}
    before = attention(query, context, context, **arguments)
    with capture_attention(attention) as maps:
        after = attention(query, context, context, **arguments)
    assert all(x is y is None or torch.equal(x, y) for x, y in zip(before, after))
    seen = ~(hidden | padding.unsqueeze(1))
    expected = judge(attention, query, context, seen)
    torch.testing.assert_close(maps[""][0], expected, rtol=0, atol=1e-14)


def test_training_goes_on_as_if_nobody_looked(attention):
    """Maps are from before dropout; outputs, gradients and random numbers are as without them."""
    attention.train().dropout = 0.5
    x = rows(4).requires_grad_()

    def update() -> list[torch.Tensor]:
        torch.manual_seed(3)
        out, _ = attention(x, x, x, need_weights=False)
        return [out, *torch.autograd.grad(out.sum(), [x, *attention.parameters()]), torch.rand(9)]

    before = update()
    with capture_attention(attention) as maps:
        assert all(map(torch.equal, update(), before))
    torch.testing.assert_close(maps[""][0], judge(attention, x, x).detach(), rtol=0, atol=1e-14)
    assert not maps[""][0].requires_grad


def test_torchs_encoder_in_evaluation():
    """Whose fast path calls no attention module."""
    torch.manual_seed(1)
    layer = nn.TransformerEncoderLayer(CHANNELS, HEADS, 16, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 3).eval()
    padding = torch.tensor([[False] * 4, [False, False, True, True]])
    with capture_attention(encoder) as maps, torch.no_grad():
        encoder(rows(4).float(), src_key_padding_mask=padding)
    assert list(maps) == [f"layers.{number}.self_attn" for number in range(3)]
    for (weights,) in maps.values():
        assert weights.shape == (2, HEADS, 4, 4)
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, HEADS, 4))
        assert weights[1, :, :, 2:].eq(0).all()


class Spelled(nn.Module):
    """An attention that spells out its weights."""

    def __init__(self) -> None:
        super().__init__()
        self.softmax = AttentionSoftmax()

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        weights = self.softmax(scores)
        return weights.mul_(2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_weights_that_are_spelled_out(dtype):
    scores = torch.randn(2, HEADS, 3, 4, dtype=dtype)
    with capture_attention(nn.ModuleDict({"one": Spelled(), "other": Spelled()})) as maps:
        Spelled()(scores)  # not of this model
    assert maps == {}
    model = nn.ModuleDict({"one": Spelled(), "other": Spelled()})
    with capture_attention(model) as maps:
        model["other"](scores)
    assert list(maps) == ["other"]
    assert maps["other"][0].dtype == torch.promote_types(dtype, torch.float32)
    torch.testing.assert_close(maps["other"][0], scores.softmax(-1).to(maps["other"][0]))


class OfFairseq(nn.Module):
    """What fairseq's attention does while it generates: rows of ``B x H``, torch's softmax."""

    num_heads = HEADS

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        weights = nn.functional.softmax(scores, dim=-1)
        return weights.detach().mul_(2)


def test_weights_of_fairseqs_own_softmax():
    """Plain numbers: no graph is kept alive, and nobody writes over them afterwards."""
    scores = torch.randn(3 * HEADS, 4, 5, requires_grad=True)
    model = nn.Sequential(OfFairseq())
    with capture_attention(model) as maps:
        model(scores)
        nn.functional.softmax(scores, dim=-1)  # of no attention
    [weights] = maps["0"]
    torch.testing.assert_close(weights, scores.softmax(-1).view(3, HEADS, 4, 5).detach())
    assert not weights.requires_grad


def test_a_part_that_is_asked_is_not_overheard():
    """Inside an attention that torch's functions would be heard of, as fairseq's in evaluation."""

    class Part(nn.Module):
        def forward(self, scores: torch.Tensor) -> torch.Tensor:
            return nn.functional.softmax(scores, dim=-1)

        attention_map = forward

    class Whole(OfFairseq):
        def __init__(self) -> None:
            super().__init__()
            self.part = Part()

        def forward(self, scores: torch.Tensor, by_part: bool) -> torch.Tensor:
            return self.part(scores) if by_part else super().forward(scores)

    model, scores = nn.ModuleDict({"attention": Whole()}), torch.randn(HEADS, 4, 5)
    with capture_attention(model) as maps:
        for by_part in (True, False, True):
            model["attention"](scores, by_part)
    assert len(maps["attention"]) == 3


def hooks(model: nn.Module) -> int:
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()
    )


def test_nothing_stays_behind_after_an_error(attention):
    def fails() -> None:
        with capture_attention(attention):
            assert hooks(attention) == 2
            raise KeyError("in the middle")

    with pytest.raises(KeyError):
        fails()
    assert not hooks(attention)
    x = rows(2)
    assert attention(x, x, x, need_weights=False)[1] is None


def test_an_attention_that_fails_is_not_running_any_more(attention):
    model = nn.ModuleDict({"one": attention, "other": Spelled()})
    with capture_attention(model) as maps:
        with pytest.raises(AssertionError, match="embedding dimension"):
            attention(*[torch.randn(2, 3, 4)] * 3)
        nn.functional.softmax(torch.randn(4, 3, 3), dim=-1)
    assert maps == {}


class Work(TorchDispatchMode):
    """What torch is told to do, and the sizes of what comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[tuple[str, list[torch.Size]]] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        tensors = result if isinstance(result, (tuple, list)) else [result]
        sizes = [tensor.shape for tensor in tensors if isinstance(tensor, torch.Tensor)]
        self.done.append((str(function), sizes))
        return result


def test_nothing_is_done_where_nobody_asks(attention):
    """Not before and not after: the fused attention, and no table of queries and keys."""
    x = rows(50)

    def work() -> list:
        with Work() as mode, torch.no_grad():
            attention(x, x, x, need_weights=False)
        return mode.done

    before = work()
    with capture_attention(attention):
        assert len(work()) > len(before)
    assert work() == before
    assert "softmax" not in " ".join(name for name, _ in before)
    assert all(size[-2:] != (50, 50) for _, sizes in before for size in sizes)
