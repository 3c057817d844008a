"""``torch.compile(fullgraph=True)``: a training pass through each attention, the same numbers."""

import pytest
import torch
from torch import Tensor

from fairseq_memtx.memory import (
    AttentionSoftmax,
    AttentionToMemoryAndSelf,
    ChunkedAttention,
    DenseAttention,
    GlobalMemoryAttention,
    HashedAttention,
    WindowAttention,
    attend,
    drop,
)

SCHEMES = {
    "chunked": ChunkedAttention(4),
    "window": WindowAttention(4),
    "lsh": HashedAttention(4, buckets=6, rounds=2, channels=3),
    "none": DenseAttention(),
}
ROWS = (2, 2, 11, 3)
REAL = torch.ones(2, 11, dtype=torch.bool)
REAL[1, 8:] = False


def same(function, *shapes: tuple[int, ...], backend: str = "aot_eager") -> None:
    """Compiled without a break, from the same seed: outputs bit for bit, gradients."""

    def passed(function) -> list[Tensor]:
        torch.manual_seed(1)
        # Heads as layers make them, not one after the other in memory.
        tensors = [torch.randn(shape).transpose(0, -2).contiguous() for shape in shapes]
        tensors = [tensor.transpose(0, -2).requires_grad_() for tensor in tensors]
        out = function(*tensors)
        return [out, *torch.autograd.grad(out, tensors, torch.randn(out.shape))]

    torch._dynamo.reset()
    expected = passed(function)
    compiled = passed(torch.compile(function, fullgraph=True, backend=backend))
    assert torch.equal(compiled[0], expected[0])
    for mine, right in zip(compiled, expected, strict=True):
        torch.testing.assert_close(mine, right)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_global_memory(scheme, dropout):
    attention = GlobalMemoryAttention(3, SCHEMES[scheme])
    same(lambda q, k, v: attention(q, k, v, REAL, dropout), ROWS, ROWS, ROWS)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("visible", [None, REAL[:, None, None]])
def test_softmax_attention_with_dropout(visible, backend):
    shapes = ROWS, ROWS, ROWS
    same(lambda q, k, v: attend(q, k, v, visible, dropout=0.3), *shapes, backend=backend)


def test_memory_and_self():
    attention, dropout = AttentionToMemoryAndSelf(), torch.nn.Dropout(0.3)
    memory = (2, 2, 4, 3)
    same(lambda *rows: attention(*rows, dropout), ROWS, memory, memory, ROWS, ROWS)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_parts(backend):
    softmax = AttentionSoftmax()
    same(lambda scores: softmax(scores), (2, 2, 5, 6), backend=backend)
    same(lambda x: drop(x, 0.3), (5, 7), backend=backend)
