"""Attention maps of every layer and head of the families: exact, and right about who sees whom."""

import pytest
import torch
from conftest import VARIANTS, batch, build
from test_gmat_roberta import COMPRESSED, SCHEMES, tokens
from test_gmat_roberta import build as build_gmat
from test_rmt_lm import build as build_rmt
from test_rmt_lm import text
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from fairseq_memtx.memory import capture_attention, segment_mask
from fairseq_memtx.modules.gmat_attention import GmatAttention
from fairseq_memtx.modules.mem_transformer_layers import MemoryAndSelfAttention

M, T = 3, 7


def captured(model: nn.Module, *arguments, **options) -> dict[str, list[torch.Tensor]]:
    """Maps of a pass, after a look at what the attentions gave: that is what the maps say.

    What padding on the left of a translation reads is not a number.
    """
    calls: dict[str, list] = {}
    attentions = {
        name: module
        for name, module in model.named_modules()
        if name.endswith(("self_attn", "encoder_attn"))
    }

    def note(name: str):
        def hook(module, _, given, out) -> None:
            calls.setdefault(name, []).append((given, out[0]))

        return hook

    for name, module in attentions.items():
        module.register_forward_hook(note(name), with_kwargs=True)
    with capture_attention(model) as maps, torch.no_grad():
        model(*arguments, **options)
    assert set(maps) == set(attentions), "every attention has its maps"
    for name, module in attentions.items():
        for weights, (given, out) in zip(maps[name], calls[name], strict=True):
            # The attention from the decoder to the source is fairseq's own, in float32.
            atol = 1e-6 if "encoder_attn" in name else 1e-12
            assert weights.dtype == (torch.float32 if "encoder_attn" in name else torch.float64)
            rows = given["value"]
            if isinstance(module, MemoryAndSelfAttention):
                rows = torch.cat([rows, given["query"]])
            values = project(module, "v_proj", rows).unflatten(2, (module.num_heads, -1))
            attended = (
                (weights.double() @ values.permute(1, 2, 0, 3)).permute(2, 0, 1, 3).flatten(2)
            )
            expected = project(module, "out_proj", attended)
            torch.testing.assert_close(out, expected, rtol=0, atol=atol, equal_nan=True)
    return maps


def project(module: nn.Module, name: str, rows: torch.Tensor) -> torch.Tensor:
    """Through projections of the memory's own for its rows, where there are some."""
    if isinstance(module, GmatAttention):
        return module._project(name, rows)
    return getattr(module, name)(rows)


def check_rows(weights: torch.Tensor, keys: torch.Tensor, queries: torch.Tensor | None = None):
    """Rows of real queries sum to one, over keys that are real: ``B x queries``, ``B x keys``."""
    if queries is None:
        queries = torch.ones(len(weights), weights.size(2), dtype=torch.bool)
    shown = weights.transpose(1, 2)[queries]  # x H x keys
    torch.testing.assert_close(shown.sum(-1), torch.ones_like(shown[..., 0]))
    hidden = ~keys[:, None].expand(-1, queries.size(1), -1)[queries].unsqueeze(1).expand_as(shown)
    assert shown[hidden].eq(0).all()


def with_memory(real: torch.Tensor) -> torch.Tensor:
    return functional.pad(real, (M, 0), value=True)


@pytest.mark.parametrize("variant", VARIANTS)
def test_memory_transformer(variant):
    model, source, target = build(variant, M), batch(T, 5), batch(6, 4, left=False)
    maps = captured(model, source, None, target)
    read, written = source.ne(1), target.ne(1)
    for number in range(2):
        layer = f"encoder.layers.{number}"
        [weights] = maps.pop(f"{layer}.self_attn")
        if variant == "tokens":
            check_rows(weights, with_memory(read), with_memory(read))
        else:
            bottleneck = variant == "bottleneck"
            keys = with_memory(read)[:, :M] if variant == "bottleneck" else with_memory(read)
            check_rows(weights, keys, None if bottleneck else read)
        if variant == "bottleneck-skip":
            others = ~torch.eye(T, dtype=torch.bool)
            assert weights[..., M:][:, :, others].eq(0).all()
            assert weights[..., M:].diagonal(dim1=2, dim2=3).gt(0).all()
        [weights] = maps.pop(f"decoder.layers.{number}.self_attn")
        check_rows(weights, written, written)
        assert weights.triu(1).eq(0).all()
        [weights] = maps.pop(f"decoder.layers.{number}.encoder_attn")
        check_rows(weights, with_memory(read), written)
    controllers = [weights for calls in maps.values() for weights in calls]
    assert len(controllers) == (0 if variant == "tokens" else 2)
    for weights in controllers:
        assert weights.size(2) == M
        check_rows(weights, with_memory(read))


def test_translation_step_by_step_reads_what_the_whole_pass_reads():
    """Where fairseq leaves torch's function for its own."""
    model, source, target = build("tokens", M), batch(T, 5), batch(6, 6, left=False)
    with capture_attention(model) as whole, torch.no_grad():
        encoded = model.encoder(source)
        model.decoder(target, encoded)
    state: dict = {}
    with capture_attention(model) as steps, torch.no_grad():
        for end in range(1, 7):
            model.decoder(target[:, :end], encoded, state)
    for name, calls in steps.items():
        [weights] = whole[name]
        assert len(calls) == 6
        for row, step in enumerate(calls):
            expected = weights[:, :, row : row + 1, : step.size(3)]
            torch.testing.assert_close(step.double(), expected.double(), rtol=0, atol=1e-6)


FLAGS = {
    "no memory": {"memory_tokens": 0},
    "memory": {},
    "projections": {"separate_memory_projections": True},
    "compression": COMPRESSED,
    "segments": {"segments": 3, "max_positions": 25},
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", FLAGS)
def test_gmat(scheme, kind):
    model = build_gmat(sparse_attention=scheme, **FLAGS[kind])
    source = tokens(25, 14) if kind == "segments" else tokens(11, 7)
    if not model.args.memory_tokens and scheme == "none":
        pytest.skip("fairseq's own model")
    maps = captured(model, source)
    layers = len(model.encoder.sentence_encoder.layers)
    assert len(maps) == layers
    for calls in maps.values():
        assert len(calls) == (3 if kind == "segments" else 1)
        for weights in calls:
            memory, real = model.args.memory_tokens, source.ne(1)
            if weights.size(2) == weights.size(3) == memory + source.size(1):
                real = functional.pad(real, (memory, 0), value=True)
                check_rows(weights, real, real)
            else:
                sums = weights[0].sum(-1)
                torch.testing.assert_close(sums, torch.ones_like(sums))


RMT = {
    "memory": [],
    "memory and cache": ["--cache-length", "6", "--memory-reads-cache"],
    "fairseq's layers": ["--backbone", "transformer"],
}


def relative_weights(attention: nn.Module, arguments: tuple) -> torch.Tensor:
    """Transformer-XL, section 3.3, pair by pair."""
    x, past, hidden, _, (content_bias, position_bias) = arguments
    queries, keys, _ = attention.qkv_proj(x).unflatten(-1, (3, attention.heads, -1)).unbind(2)
    if past is not None:
        keys = torch.cat([past[0].transpose(1, 2), keys], dim=1)
    rows, read = queries.size(1), keys.size(1)
    frequencies = 10000 ** -(torch.arange(0, x.size(2), 2).double() / x.size(2))
    scores = queries.new_empty(len(x), attention.heads, rows, read)
    for i in range(rows):
        for j in range(read):
            angles = (read - rows + i - j) * frequencies
            distance = attention.position_proj(torch.cat([angles.sin(), angles.cos()]))
            distance = distance.view(attention.heads, -1)
            query = queries[:, i]
            score = (query + content_bias) * keys[:, j] + (query + position_bias) * distance
            scores[:, :, i, j] = score.sum(-1) * attention.scaling
    return scores.masked_fill(hidden, -torch.inf).softmax(-1)


@pytest.mark.parametrize("kind", RMT)
def test_recurrent_memory(kind):
    """Three segments, every one a call of every layer; then the same text token by token."""
    model, read = build_rmt(*RMT[kind]), text(11)
    layers = [f"decoder.layers.{number}.self_attn" for number in range(len(model.decoder.layers))]
    given: list[tuple] = []
    first = model.get_submodule(layers[0])
    hook = first.register_forward_hook(lambda _, arguments, out: given.append(arguments))
    with capture_attention(model) as maps, torch.no_grad():
        model(read)
    hook.remove()
    assert set(maps) == set(layers)
    memory = len(model.state_dict()["decoder.memory.weight"])
    for calls in maps.values():
        assert len(calls) == 3
        for number, weights in enumerate(calls):
            rows = 2 * memory + (3 if number == 2 else 4)
            cache = min(6, weights.size(3) - rows) if kind == "memory and cache" else 0
            assert weights.shape[2:] == (rows, cache + rows)
            torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
            hidden = functional.pad(segment_mask(memory, rows - 2 * memory), (cache, 0))
            assert weights[:, :, hidden].eq(0).all()
            assert weights[:, :, ~hidden].gt(0).all()
    if kind != "fairseq's layers":
        for arguments, weights in zip(given, maps[layers[0]], strict=True):
            expected = relative_weights(first, arguments)
            torch.testing.assert_close(weights, expected, rtol=0, atol=1e-12)
    state: dict = {}
    with capture_attention(model) as steps, torch.no_grad():
        for end in range(1, 12):
            model.decoder(read[:, :end], incremental_state=state)
    for name, calls in steps.items():
        [*_, last] = calls
        expected = maps[name][2][:, :, memory + 2, : last.size(3)]
        torch.testing.assert_close(last[:, :, -1].double(), expected.double(), rtol=0, atol=1e-6)


def test_a_sparse_model_makes_no_table_of_the_whole_document():
    """Where nobody asks, however the model is built."""
    source = tokens(40)
    for scheme in ("chunked", "window", "lsh"):
        model = build_gmat(sparse_attention=scheme)
        with Sizes() as mode, torch.no_grad():
            model(source)
        assert all(min(size[-2:], default=0) < 40 for size in mode.sizes if len(size) > 1)
        assert not any(module._forward_hooks for module in model.modules())


class Sizes(TorchDispatchMode):
    """The sizes of all tensors that are made."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[tuple[int, ...]] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(tensor, torch.Tensor):
                self.sizes.append(tuple(tensor.shape))
        return result
