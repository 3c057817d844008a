"""The attention of a training is fairseq's, forward and backward, and can be looked into."""

import copy

import pytest
import torch
from conftest import VARIANTS, batch, build
from fairseq.modules import MultiheadAttention
from torch import nn

from fairseq_memtx.memory import capture_attention
from fairseq_memtx.modules.quick_attention import QuickAttention
from fairseq_memtx.modules.quicken import quicken

CHANNELS, HEADS, ROWS, KEYS, STREAMS = 8, 2, 4, 5, 3
PADDING = torch.tensor([[False] * KEYS, [False] * 3 + [True] * 2, [True] + [False] * 4])


def pair(**settings) -> tuple[MultiheadAttention, QuickAttention]:
    """Of fairseq and of ours, with the same weights, in training."""
    torch.manual_seed(1)
    theirs = MultiheadAttention(CHANNELS, HEADS, **settings).double()
    for bias in (theirs.q_proj.bias, theirs.k_proj.bias, theirs.v_proj.bias, theirs.out_proj.bias):
        nn.init.normal_(bias)
    ours = QuickAttention(copy.deepcopy(theirs))
    return theirs, ours


def causal(rows: int) -> torch.Tensor:
    return torch.full((rows, rows), -torch.inf).triu(1)


def outcome(attention: nn.Module, memory: torch.Tensor | None, **options) -> list[torch.Tensor]:
    """What comes out, and the gradients of weights and inputs."""
    numbers = torch.Generator().manual_seed(2)
    shape = (ROWS if memory is not None else KEYS, STREAMS, CHANNELS)
    query = torch.randn(shape, generator=numbers, dtype=torch.float64)
    query = query.to(attention.q_proj.weight.dtype).requires_grad_()
    key = query if memory is None else memory
    out, weights = attention(query, key, key, need_weights=False, **options)
    assert weights is None
    return [out, *torch.autograd.grad(out.square().sum(), [query, *attention.parameters()])]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"attn_mask": causal(KEYS)},
        {"key_padding_mask": PADDING},
        # So that a row sees itself at least, what is padded is not at the beginning.
        {"key_padding_mask": PADDING[[0, 1, 0]], "attn_mask": causal(KEYS)},
        {"attn_mask": torch.stack([causal(KEYS)] * (STREAMS * HEADS))},
        {"attn_mask": torch.randn(KEYS, KEYS, generator=torch.Generator().manual_seed(3))},
    ],
)
def test_rows_that_read_each_other(options):
    theirs, ours = pair(self_attention=True)
    for mine, right in zip(outcome(ours, None, **options), outcome(theirs, None, **options)):
        torch.testing.assert_close(mine, right, rtol=0, atol=1e-13)


@pytest.mark.parametrize("padding", [None, PADDING])
@pytest.mark.parametrize("bfloat16", [False, True])
def test_rows_that_read_others(padding, bfloat16, monkeypatch):
    """Where fairseq spells its weights out: to the last bit, or as well as bfloat16 can."""
    theirs, ours = pair(encoder_decoder_attention=True)
    memory = torch.randn(KEYS, STREAMS, CHANNELS, dtype=torch.float64)
    options = {"key_padding_mask": padding, "static_kv": True}
    expected = outcome(theirs, memory, **options)
    if not bfloat16:
        assert all(map(torch.equal, outcome(ours, memory, **options), expected))
        return
    monkeypatch.setattr(MultiheadAttention, "forward", None)
    with torch.autocast("cpu", torch.bfloat16):
        found = outcome(ours.float(), memory.float(), **options)
    for mine, right in zip(found, expected):
        torch.testing.assert_close(mine.double(), right, rtol=0.1, atol=0.1)


def test_who_sees_nothing_but_padding():
    """The first row of a target that is padded on the left: finite, and so is what learns of it."""
    _, ours = pair(self_attention=True)
    results = outcome(ours, None, key_padding_mask=PADDING, attn_mask=causal(KEYS))
    assert all(result.isfinite().all() for result in results)


def test_in_evaluation_and_for_its_weights_it_is_its_base_class():
    theirs, ours = (attention.eval() for attention in pair(self_attention=True))
    x = torch.randn(KEYS, STREAMS, CHANNELS, dtype=torch.float64)
    for training in (False, True):
        expected, actual = (
            attention.train(training)(x, x, x, need_head_weights=True)
            for attention in (theirs, ours)
        )
        assert all(map(torch.equal, actual, expected))
    state: dict = {}
    expected, actual = (
        attention.train()(x[:1], x[:1], x[:1], incremental_state=of)[0]
        for attention, of in ((theirs, {}), (ours, state))
    )
    assert torch.equal(actual, expected)
    assert state


def test_noise_of_quantisation_is_fairseqs():
    """Which torch's function passes by, since it takes weights alone."""
    theirs, ours = pair(self_attention=True, q_noise=0.5, qn_block_size=4)
    assert all(map(torch.equal, outcome(ours, None), outcome(theirs, None)))


def test_its_weights_are_dropped():
    _, ours = pair(self_attention=True, dropout=0.5)
    x = torch.randn(KEYS, STREAMS, CHANNELS, dtype=torch.float64)
    once, again = (ours(x, x, x, need_weights=False)[0] for _ in range(2))
    assert not torch.equal(once, again)
    ours.eval()
    once, again = (ours(x, x, x, need_weights=False)[0] for _ in range(2))
    assert torch.equal(once, again)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("padding", [None, PADDING])
def test_it_can_be_looked_into(training, padding):
    """Once a call, whichever way it goes."""
    theirs, ours = pair(self_attention=True)
    theirs.skip_embed_dim_check = True  # or torch's function gives the mean over the heads
    x = torch.randn(KEYS, STREAMS, CHANNELS, dtype=torch.float64)
    model = nn.ModuleDict({"attention": ours.train(training)})
    with capture_attention(model) as maps:
        model["attention"](x, x, x, key_padding_mask=padding, need_weights=False)
    _, expected = theirs(x, x, x, key_padding_mask=padding, need_head_weights=True)
    [weights] = maps["attention"]
    # Whose softmax is in float32.
    torch.testing.assert_close(weights.float(), expected.transpose(0, 1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_translator_trains_with_it_alone(variant, monkeypatch):
    """In every variant, encoder and decoder, in bfloat16: nobody calls fairseq's forward."""
    model = build(variant).float().train()
    kinds = {type(part) for part in model.modules() if isinstance(part, MultiheadAttention)}
    assert QuickAttention in kinds
    assert MultiheadAttention not in kinds
    monkeypatch.setattr(MultiheadAttention, "forward", None)
    with torch.autocast("cpu", torch.bfloat16):
        logits, _ = model(batch(5, 3), None, batch(4, 2, left=False))
    logits.sum().backward()


def test_weights_keep_their_names():
    theirs, _ = pair()
    model = nn.ModuleDict({"attention": theirs})
    names = list(model.state_dict())
    weights = list(model.parameters())
    quicken(model)
    assert type(model["attention"]) is QuickAttention
    assert list(model.state_dict()) == names
    assert all(one is other for one, other in zip(model.parameters(), weights, strict=True))
