"""Every scheme of sparse attention against dense attention with a mask, in float64."""

import pytest
import torch
from torch.nn import functional

from fairseq_memtx.memory import (
    ChunkedAttention,
    DenseAttention,
    GlobalMemoryAttention,
    HashedAttention,
    SparseAttention,
    WindowAttention,
    capture_attention,
)

HEADS, CHANNELS = 3, 4


def scheme(name: str) -> SparseAttention:
    return {
        "chunked": lambda: ChunkedAttention(4),
        "window": lambda: WindowAttention(6),
        "lsh": lambda: HashedAttention(4, buckets=6, rounds=2, channels=CHANNELS),
        "lsh, one round": lambda: HashedAttention(4, buckets=6, rounds=1, channels=CHANNELS),
        "none": DenseAttention,
    }[name]()


SCHEMES = ["chunked", "window", "lsh", "lsh, one round", "none"]


def neighbours(attention: SparseAttention, key: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Who is whose neighbour, told token by token, ``B x H x L x L``."""
    batch, heads, length, _ = key.shape
    place = torch.arange(length)
    if isinstance(attention, DenseAttention):
        near = torch.ones(length, length, dtype=torch.bool)
    elif isinstance(attention, ChunkedAttention):
        near = place[:, None] // 4 == place // 4
    elif isinstance(attention, WindowAttention):
        near = (place[:, None] - place).abs() <= 3
    else:
        near = torch.zeros(batch, heads, length, length, dtype=torch.bool)
        for directions in attention.directions.to(key):
            for row in range(batch):
                for head in range(heads):
                    products = key[row, head] @ directions
                    hashes = torch.cat([products, -products], dim=-1).argmax(-1)
                    hashes[~real[row]] = 99
                    rank = {int(t): r for r, t in enumerate(hashes.argsort(stable=True))}
                    for i in range(length):
                        for j in range(length):
                            near[row, head, i, j] |= rank[i] // 4 == rank[j] // 4
    return near.expand(batch, heads, length, length) & real[:, None, None, :]


def judge_weights(attention, query, key, memory_key, real):
    """Dense attention over [memory; tokens] in which a mask hides who is no neighbour."""
    visible = neighbours(attention, key, real)
    visible = functional.pad(visible, (memory_key.size(2), 0), value=True)
    scores = query @ torch.cat([memory_key, key], 2).transpose(-2, -1) * CHANNELS**-0.5
    return scores.masked_fill(~visible, -1e300).softmax(-1)


def judge(attention, query, key, value, memory_key, memory_value, real):
    weights = judge_weights(attention, query, key, memory_key, real)
    return weights @ torch.cat([memory_value, value], 2)


def draw(length: int, memory_tokens: int, seed: int = 1) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = [length] * 3 + [memory_tokens] * 2
    return [
        torch.randn(2, HEADS, rows, CHANNELS, dtype=torch.float64, generator=generator)
        for rows in shapes
    ]


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("memory_tokens", [0, 1, 3])
@pytest.mark.parametrize("length", [1, 3, 4, 8, 11])
@pytest.mark.parametrize("padded", [False, True])
def test_equals_dense_attention_with_a_mask(name, memory_tokens, length, padded):
    attention = scheme(name)
    tensors = [tensor.requires_grad_() for tensor in draw(length, memory_tokens)]
    real = torch.ones(2, length, dtype=torch.bool)
    if padded:
        real[1, length - length // 2 :] = False
    ours = attention(*tensors, real=real if padded else None)
    theirs = judge(attention, *tensors, real)
    # What padding gets has no meaning, but it must not spoil anything.
    assert torch.isfinite(ours).all()
    weight = torch.randn(ours.shape, dtype=ours.dtype) * real[:, None, :, None]
    ours, theirs = ours * weight, theirs * weight
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    judged = [tensors[index] for index in range(5) if tensors[index].numel()]
    for mine, right in zip(
        torch.autograd.grad(ours.sum(), judged), torch.autograd.grad(theirs.sum(), judged)
    ):
        torch.testing.assert_close(mine, right, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SCHEMES)
def test_gradients_are_those_of_the_function(name):
    attention = scheme(name)
    tensors = [tensor.requires_grad_() for tensor in draw(6, 2)]
    if isinstance(attention, HashedAttention):  # who meets jumps with the key
        tensors[1].requires_grad_(False)
    assert torch.autograd.gradcheck(attention, tensors)


def test_what_a_chunk_sees_is_its_mean_under_uniform_attention():
    """Reference values: queries of zero, and the value of a row is its number."""
    value = torch.arange(10, dtype=torch.float64).view(1, 1, 10, 1)
    zero = torch.zeros_like(value)
    arguments = zero[:, :, 2:], zero[:, :, 2:], value[:, :, 2:], zero[:, :, :2], value[:, :, :2]
    attended = ChunkedAttention(4)(*arguments).flatten()
    torch.testing.assert_close(attended[:4], torch.full((4,), 2.5, dtype=torch.float64))
    torch.testing.assert_close(attended[4:], torch.full((4,), 31 / 6, dtype=torch.float64))
    real = torch.tensor([[True] * 5 + [False] * 3])
    attended = ChunkedAttention(4)(*arguments, real=real).flatten()
    torch.testing.assert_close(attended[:4], torch.full((4,), 2.5, dtype=torch.float64))
    torch.testing.assert_close(attended[4], torch.tensor(7 / 3, dtype=torch.float64))


def test_swapped_chunks_swap_their_outputs():
    query, key, value, *memory = draw(8, 2)
    swapped = [torch.cat([x[:, :, 4:], x[:, :, :4]], dim=2) for x in (query, key, value)]
    attention = ChunkedAttention(4)
    before, after = attention(query, key, value, *memory), attention(*swapped, *memory)
    torch.testing.assert_close(before[:, :, :4], after[:, :, 4:], rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", SCHEMES)
def test_padding_changes_nothing(name):
    query, key, value, *memory = draw(7, 2)
    attention = scheme(name)
    before = attention(query, key, value, *memory)
    longer = [functional.pad(x, (0, 0, 0, 6), value=9.0) for x in (query, key, value)]
    real = functional.pad(torch.ones(2, 7, dtype=torch.bool), (0, 6))
    after = attention(*longer, *memory, real=real)[:, :, :7]
    torch.testing.assert_close(before, after, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", SCHEMES)
def test_dropout_drops_weights_and_keeps_the_mean(name):
    torch.manual_seed(1)
    arguments = draw(8, 2)
    attention = scheme(name)
    exact = attention(*arguments)
    drawn = torch.stack([attention(*arguments, dropout=0.3) for _ in range(4000)])
    assert drawn.std(dim=0).min() > 0
    torch.testing.assert_close(drawn.mean(dim=0), exact, rtol=0, atol=0.1)


def test_lsh_neighbours_are_those_with_like_keys():
    """Sixteen tokens of four kinds, in turns: a chunk of four holds one kind."""
    kinds = torch.eye(4, dtype=torch.float64).repeat(4, 1)
    key = 10 * kinds.view(1, 1, 16, 4)
    attention = HashedAttention(4, buckets=64, rounds=1, channels=4)
    [order] = attention.orders(key, torch.ones(1, 16, dtype=torch.bool))
    for chunk in order.view(4, 4):
        assert len({int(token) % 4 for token in chunk}) == 1


def test_lsh_meets_more_tokens_in_more_rounds():
    _, key, *_ = draw(32, 0)
    real = torch.ones(2, 32, dtype=torch.bool)
    met = [
        neighbours(HashedAttention(4, 8, rounds, CHANNELS), key, real).sum() for rounds in (1, 2, 4)
    ]
    assert met[0] < met[1] < met[2]


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("memory_tokens", [0, 1, 3])
@pytest.mark.parametrize("length", [1, 3, 4, 8, 11])
@pytest.mark.parametrize("padded", [False, True])
def test_map_is_that_of_dense_attention_with_a_mask(name, memory_tokens, length, padded):
    """Of memory and tokens, in every head; each row of a token that is real sums to one."""
    attention = torch.nn.ModuleDict({"one": GlobalMemoryAttention(memory_tokens, scheme(name))})
    query, key, value = (x[:, :, : memory_tokens + length] for x in draw(14, 0)[:3])
    real = torch.ones(2, memory_tokens + length, dtype=torch.bool)
    if padded:
        real[1, memory_tokens + length - length // 2 :] = False
    with capture_attention(attention) as maps:
        out = attention["one"](query, key, value, real if padded else None, dropout=0.0)
    [weights] = maps[""]
    torch.testing.assert_close(weights @ value, out, rtol=0, atol=1e-14)

    memory_key = key[:, :, :memory_tokens]
    tokens = (x[:, :, memory_tokens:] for x in (query, key))
    of_tokens = judge_weights(scheme(name), *tokens, memory_key, real[:, memory_tokens:])
    scores = query[:, :, :memory_tokens] @ key.transpose(-2, -1) * CHANNELS**-0.5
    of_memory = scores.masked_fill(~real[:, None, None], -1e300).softmax(-1)
    expected = torch.cat([of_memory, of_tokens], dim=2)
    shown = real[:, None, :, None]  # what padding reads has no meaning
    torch.testing.assert_close(weights * shown, expected * shown, rtol=0, atol=1e-14)
    sums = weights.sum(-1).masked_select(real[:, None])
    torch.testing.assert_close(sums, torch.ones_like(sums), rtol=0, atol=1e-14)
    assert (weights * shown)[expected.eq(0).expand_as(weights)].eq(0).all()
