"""``AttentionProbe``: records every call, changes nothing, and goes away."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fairseq_memtx.memory import AttentionProbe


@pytest.fixture
def attention() -> nn.MultiheadAttention:
    torch.manual_seed(1)
    return nn.MultiheadAttention(8, 2, batch_first=True).eval()


def call(attention: nn.Module, x: torch.Tensor, **options) -> torch.Tensor:
    return attention(x, x, x, **options)[0]


def test_every_call_is_kept_in_order(attention):
    inputs = [torch.randn(2, length, 8) for length in (3, 5)]
    with AttentionProbe([("one", attention)]) as probe:
        for x in inputs:
            call(attention, x)
    first, second = probe.weights["one"]
    for recorded, x in zip((first, second), inputs):
        torch.testing.assert_close(recorded, attention(x, x, x)[1])
        torch.testing.assert_close(recorded.sum(dim=-1), torch.ones(x.shape[:2]))


def test_weights_are_asked_for_where_the_caller_wants_none(attention):
    x = torch.randn(1, 4, 8)
    with AttentionProbe([("one", attention)]) as probe:
        call(attention, x, need_weights=False)
    assert probe.weights["one"][0].shape == (1, 4, 4)


def test_output_is_not_changed(attention):
    x = torch.randn(1, 4, 8)
    before = call(attention, x)
    with AttentionProbe([("one", attention)]):
        torch.testing.assert_close(call(attention, x), before)


def test_weights_are_plain_numbers(attention):
    """No graph is kept alive, whatever the precision."""
    attention = attention.double()
    with AttentionProbe([("one", attention)]) as probe:
        call(attention, torch.randn(1, 4, 8, dtype=torch.float64))
    (weights,) = probe.weights["one"]
    assert weights.dtype == torch.float32
    assert not weights.requires_grad


def test_modules_are_told_apart(attention):
    other = nn.MultiheadAttention(8, 1, batch_first=True)
    with AttentionProbe([("one", attention), ("other", other)]) as probe:
        call(other, torch.randn(1, 2, 8))
    assert probe.weights["one"] == []
    assert len(probe.weights["other"]) == 1


def test_nothing_stays_behind_after_an_error(attention):
    def fails() -> None:
        with AttentionProbe([("one", attention)]):
            raise KeyError("in the middle")

    with pytest.raises(KeyError):
        fails()
    assert not attention._forward_hooks
    assert not attention._forward_pre_hooks
    assert attention(*[torch.randn(1, 2, 8)] * 3, need_weights=False)[1] is None
