"""Memory tokens and attention over memory, without fairseq."""

from __future__ import annotations

import torch

from fairseq_memtx.memory import MemoryTokens, attend_to_memory_and_self


def test_every_sentence_starts_with_the_same_memory():
    tokens = MemoryTokens(3, 4)
    memory = tokens(2)
    assert memory.shape == (2, 3, 4)
    assert torch.equal(memory[0], tokens.weight)
    assert torch.equal(memory[1], tokens.weight)


def test_fitted_keeps_the_first_rows_and_fills_with_its_own():
    tokens, saved = MemoryTokens(3, 4), torch.arange(8.0).view(2, 4)
    fitted = tokens.fitted(saved)
    assert torch.equal(fitted[:2], saved)
    assert torch.equal(fitted[2], tokens.weight[2])
    assert torch.equal(tokens.fitted(torch.ones(5, 4)), torch.ones(3, 4))
    assert not fitted.requires_grad


def test_attention_over_memory_and_self_is_masked_dense_attention():
    batch, heads, length, memory, channels = 2, 3, 5, 4, 6
    q, own_k, own_v = torch.randn(3, batch, heads, length, channels, dtype=torch.float64)
    mem_k, mem_v = torch.randn(2, batch, heads, memory, channels, dtype=torch.float64)
    attended, weights = attend_to_memory_and_self(q, mem_k, mem_v, own_k, own_v)

    keys, values = torch.cat([mem_k, own_k], dim=2), torch.cat([mem_v, own_v], dim=2)
    allowed = torch.cat([torch.ones(length, memory), torch.eye(length)], dim=1).bool()
    scores = (q @ keys.transpose(-2, -1)).masked_fill(~allowed, float("-inf"))
    dense = torch.softmax(scores, dim=-1)
    torch.testing.assert_close(attended, dense @ values)
    torch.testing.assert_close(weights[..., :memory], dense[..., :memory])
    torch.testing.assert_close(weights[..., -1], dense[..., memory:].diagonal(dim1=-2, dim2=-1))


def test_dropout_falls_on_the_weights():
    q, own = torch.randn(2, 1, 1, 50, 4)
    memory = torch.randn(1, 1, 3, 4)
    attended, weights = attend_to_memory_and_self(
        q, memory, memory, own, own, torch.nn.Dropout(p=1.0)
    )
    assert attended.eq(0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 1, 50))
