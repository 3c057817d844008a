"""Attention over memory and oneself, without fairseq."""

import torch

from fairseq_memtx.memory import AttentionToMemoryAndSelf


def test_attention_over_memory_and_self_is_masked_dense_attention():
    batch, heads, length, memory, channels = 2, 3, 5, 4, 6
    q, own_k, own_v = torch.randn(3, batch, heads, length, channels, dtype=torch.float64)
    mem_k, mem_v = torch.randn(2, batch, heads, memory, channels, dtype=torch.float64)
    attend = AttentionToMemoryAndSelf()
    attended = attend(q, mem_k, mem_v, own_k, own_v)
    weights = attend.attention_map(q, mem_k, mem_v, own_k, own_v)

    keys, values = torch.cat([mem_k, own_k], dim=2), torch.cat([mem_v, own_v], dim=2)
    allowed = torch.cat([torch.ones(length, memory), torch.eye(length)], dim=1).bool()
    scores = (q @ keys.transpose(-2, -1)).masked_fill(~allowed, float("-inf"))
    dense = torch.softmax(scores, dim=-1)
    torch.testing.assert_close(attended, dense @ values)
    torch.testing.assert_close(weights, dense)


def test_dropout_falls_on_the_weights():
    q, own = torch.randn(2, 1, 1, 50, 4)
    memory = torch.randn(1, 1, 3, 4)
    arguments = q, memory, memory, own, own, torch.nn.Dropout(p=1.0)
    attend = AttentionToMemoryAndSelf()
    assert attend(*arguments).eq(0).all()
    torch.testing.assert_close(attend.attention_map(*arguments).sum(-1), torch.ones(1, 1, 50))
