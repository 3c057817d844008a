"""FlexAttention computes what groups compute: forward, backward, with padding, compiled.

torch refuses its gradients on a CPU, where it would compile them; spelled out, as here, it has
them.
What a GPU compiles is tried by `scripts/gpu_check.sh`.
"""

import copy
import logging
import shutil

import pytest
import torch
from torch.nn.attention import flex_attention

from fairseq_memtx.memory import (
    ChunkedAttention,
    DenseAttention,
    FlexibleMemoryAttention,
    GlobalMemoryAttention,
    WindowAttention,
    flexible_attention,
)

SCHEMES = [
    ChunkedAttention(8),
    ChunkedAttention(1),
    ChunkedAttention(500),
    WindowAttention(2),
    WindowAttention(10),
    WindowAttention(500),
    DenseAttention(),
]


def inputs(memory_tokens: int, length: int, padded: bool):
    """Queries, keys and values in float64, what is real of them, and a gradient."""
    rows = memory_tokens + length
    numbers = torch.Generator().manual_seed(rows)
    *qkv, gradient = torch.randn(4, 2, 3, rows, 4, generator=numbers, dtype=torch.float64)
    real = torch.ones(2, rows, dtype=torch.bool)
    if padded:
        real[1, memory_tokens + length // 3 :] = False
    qkv = [x.requires_grad_() for x in qkv]
    return qkv, real if padded else None, gradient * real[:, None, :, None]


@pytest.mark.parametrize("length", [1, 17, 140])  # torch's blocks have 128 rows
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("memory_tokens", [0, 3])
@pytest.mark.parametrize("scheme", SCHEMES, ids=repr)
def test_it_is_what_groups_compute(scheme, memory_tokens, padded, length, monkeypatch):
    monkeypatch.setattr(flex_attention, "_validate_device", lambda *tensors: None)
    qkv, real, gradient = inputs(memory_tokens, length, padded)
    results = []
    for attended in (
        GlobalMemoryAttention(memory_tokens, scheme)(*qkv, real),
        FlexibleMemoryAttention(memory_tokens, scheme).by_rule(
            *qkv, real, flex_attention.flex_attention
        ),
    ):
        assert attended.isfinite().all()
        gradients = torch.autograd.grad((attended * gradient).sum(), qkv)
        results.append([attended * gradient.ne(0), *gradients])
    for groups, flexible in zip(*results):
        torch.testing.assert_close(flexible, groups, rtol=0, atol=1e-12)


def test_what_nobody_sees_is_left_out():
    """Of 1 + 8 blocks of rows, memory's is seen by all and sees all; others see their chunk."""
    attention = FlexibleMemoryAttention(128, ChunkedAttention(256))
    blocks = attention.blocks(128 + 1024, torch.device("cpu"))
    assert blocks.to_dense()[0, 0].int().tolist() == [
        [1] * 9,
        *([1] + [int(row // 2 == read // 2) for read in range(8)] for row in range(8)),
    ]


def test_blocks_are_made_once_for_a_length():
    attention = FlexibleMemoryAttention(2, WindowAttention(4))
    device = torch.device("cpu")
    made = attention.blocks(30, device)
    assert attention.blocks(30, device) is made
    assert attention.blocks(31, device).seq_lengths == (31, 31)
    assert copy.deepcopy(attention).blocks(31, device).seq_lengths == (31, 31)
    assert not attention.state_dict()


@pytest.mark.skipif(not shutil.which("g++"), reason="torch compiles by g++ on a CPU")
@pytest.mark.skipif(" " in torch.__file__, reason="torch does not quote its folder for g++")
def test_it_can_be_compiled():
    """In float32, which is what torch has on a CPU."""
    (query, key, value), real, _ = inputs(3, 140, padded=True)
    qkv = [x.detach().float() for x in (query, key, value)]
    attention = FlexibleMemoryAttention(3, WindowAttention(10))
    with torch.no_grad():
        groups = GlobalMemoryAttention(3, WindowAttention(10))(*qkv, real)
        flexible = attention.by_rule(*qkv, real, flexible_attention._compiled())
    seen = real[:, None, :, None]
    torch.testing.assert_close(flexible * seen, groups * seen, rtol=0, atol=1e-5)


def test_on_a_cpu_it_is_the_ordinary_way_and_says_so_once(caplog):
    flexible_attention._say_once.cache_clear()
    qkv, real, _ = inputs(3, 17, padded=True)
    attention = FlexibleMemoryAttention(3, ChunkedAttention(8))
    with caplog.at_level(logging.INFO):
        results = [attention(*qkv, real) for _ in range(2)]
    groups = GlobalMemoryAttention(3, ChunkedAttention(8))
    assert all(torch.equal(result, groups(*qkv, real)) for result in results)
    assert [record.message for record in caplog.records] == [
        "FlexAttention is for GPUs: here tokens are laid out in groups"
    ]


def test_attention_maps_are_not_flexible(monkeypatch):
    """On a GPU, where `forward` would be."""
    monkeypatch.setattr(FlexibleMemoryAttention, "forward", None)
    qkv, real, _ = inputs(3, 17, padded=True)
    expected = GlobalMemoryAttention(3, ChunkedAttention(8)).attention_map(*qkv, real)
    found = FlexibleMemoryAttention(3, ChunkedAttention(8)).attention_map(*qkv, real)
    assert torch.equal(found, expected)


def test_it_drops_no_weights_and_says_so():
    query = torch.empty(1, 1, 5, 4)
    with pytest.raises(ValueError, match="FlexAttention drops no attention weights"):
        FlexibleMemoryAttention(1, DenseAttention())(query, query, query, dropout=0.1)
