"""The loop over segments around layers of every kind, in plain PyTorch."""

import copy

import pytest
import torch
from torch import Tensor, nn

from fairseq_memtx.memory import (
    AssociativeMemory,
    ContinuedText,
    MemoryTokens,
    Segment,
    SegmentLoop,
    State,
    TransformerXLLayer,
    inside,
    reordered,
    run_transformer_xl,
    under,
)

LENGTH, MEMORY, CHANNELS, WORDS = 4, 2, 8, 6


class RecurrentMemoryTransformer(nn.Module):
    """RMT around torch's own layers: all that a user writes."""

    def __init__(self, words: int = WORDS, channels: int = 32) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, channels)
        layer = nn.TransformerEncoderLayer(channels, 4, 64, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.memory = MemoryTokens(MEMORY, channels, scale=1.0)
        self.loop = SegmentLoop(self.layers, LENGTH, self.memory)
        self.projection = nn.Linear(channels, words)

    def layers(self, rows: Tensor, state: State, segment: Segment) -> tuple[Tensor, State]:
        return self.encoder(rows, segment.hidden, is_causal=False), state

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        reading = self.loop.read(self.embedding(tokens), state)
        return self.projection(reading.features), reading.state


@pytest.mark.parametrize("recurrent", [True, False])
def test_a_model_of_torchs_own_layers_learns_to_remember(recurrent):
    """The first word of a text is asked for two segments later; only memory goes that far."""
    torch.manual_seed(1)
    model = RecurrentMemoryTransformer()
    model.loop = SegmentLoop(model.layers, LENGTH, model.memory, recurrent=recurrent)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(60):
        words = torch.randint(1, WORDS, (32,))
        texts = torch.zeros(32, 3 * LENGTH, dtype=torch.long)
        texts[:, 0] = words
        loss = nn.functional.cross_entropy(model(texts)[0][:, -1], words)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert model.memory.weight.grad.norm() > 0
    assert loss < 0.1 if recurrent else loss > 1.4, "log 5 is chance"


def test_it_is_causal_and_windows_are_one_text():
    model, tokens = RecurrentMemoryTransformer().eval(), torch.arange(11).remainder(WORDS)[None]
    whole, _ = model(tokens)
    for place in range(11):
        changed = tokens.clone()
        changed[:, place] = (tokens[:, place] + 1) % WORDS
        difference = (model(changed)[0] - whole).abs().amax(dim=(0, 2))
        assert place == 0 or difference[:place].max() < 1e-6
        assert difference[place:].min() > 0
    parts, state = [], None
    for window in tokens.split(LENGTH, dim=1):
        part, state = model(window, state)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)
    assert not state["memory"].requires_grad, "a window is as far as the gradient goes"


class Model(nn.Module):
    """Associative memory around Transformer-XL with a cache: three states, one contract."""

    def __init__(self, cache: int = 6, correction: bool = True, **settings: object) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.embedding = nn.Embedding(WORDS, CHANNELS)
        self.biases = nn.Parameter(torch.randn(2, 2, CHANNELS // 2))
        self.inner = TransformerXLLayer(CHANNELS, 16, 2, cache_length=cache)
        self.outer = AssociativeMemory(CHANNELS, 3, correction)
        nn.init.normal_(self.outer.value_proj.weight)
        self.memory = MemoryTokens(MEMORY, CHANNELS, scale=1.0)
        self.loop = SegmentLoop(self.layers, LENGTH, self.memory, self.embed, **settings)

    def embed(self, tokens: Tensor, begin: int) -> Tensor:
        return self.embedding(tokens[:, begin:])

    def run_inner(self, rows: Tensor, state: State, segment: Segment) -> tuple[Tensor, State]:
        return run_transformer_xl({"0": self.inner}, rows, state, segment, self.biases, lambda x: x)

    def layers(self, rows: Tensor, state: State, segment: Segment) -> tuple[Tensor, State]:
        rows, state = self.outer(self.run_inner, rows, inside(state, "0"), segment)
        return rows, under("0", state)

    def forward(self, tokens: Tensor, state: State | None = None, **more: object) -> Tensor:
        reading = self.loop.read(tokens, state, **more)
        return reading.features, reading.state


def text(segments: int = 3, streams: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(WORDS, (streams, segments * LENGTH), generator=generator)


def test_an_associative_memory_is_one_more_state():
    model = Model().double()
    _, state = model(text())
    names = ["layers.0.A", "layers.0.z", "layers.0.0.rows", "layers.0.0.visible"]
    assert sorted(state) == sorted([*names, "memory"])
    assert state["layers.0.A"].shape == (3, 18, CHANNELS)
    assert state["layers.0.z"].shape == (3, 18)


def test_streams_of_any_state_begin_anew_and_change_places():
    model, tokens = Model().double(), text()
    resets = torch.tensor([[False, True, False], [False, False, False], [False, False, True]])
    found, _ = model(tokens, resets=resets)
    torch.testing.assert_close(found[:1, LENGTH:], model(tokens[:1, LENGTH:])[0])
    torch.testing.assert_close(found[1:2], model(tokens[1:2])[0])
    torch.testing.assert_close(found[2:, 2 * LENGTH :], model(tokens[2:, 2 * LENGTH :])[0])
    order = torch.tensor([2, 2, 0])
    _, state = model(tokens)
    following = text()[:, :5]
    found, _ = model(following[order], reordered(state, order))
    torch.testing.assert_close(found, model(following, state)[0][order])


@pytest.mark.parametrize("recompute", [False, True])
def test_the_gradient_goes_through_any_state_and_ends_with_the_window(recompute):
    """By finite differences, of a weight that only the first segment's writing uses."""
    model = Model(cache=0, correction=False, recompute=recompute).double()
    tokens = text()
    _, state = model(text(1))

    def loss() -> Tensor:
        return model(tokens, state, warm_up=2)[0].pow(2).sum()

    loss().backward()
    outer = model.outer
    for weight in (outer.value_proj.weight, outer.key_proj.weight, model.memory.weight):
        gradient, difference = weight.grad[0, 0], 1e-6
        with torch.no_grad():
            weight[0, 0] += difference
            upper = loss()
            weight[0, 0] -= 2 * difference
            lower = loss()
            weight[0, 0] += difference
        torch.testing.assert_close((upper - lower) / (2 * difference), gradient)


@pytest.mark.parametrize(
    "settings",
    [{}, {"writes": False}, {"reads": False}, {"causal": True}, {"memory_reads_cache": True}],
    ids=str,
)
@pytest.mark.parametrize("cache", [0, 6])
def test_writing_gives_what_reading_gives(settings, cache):
    """Token by token, over three segments, also after streams changed places."""
    model, tokens = Model(cache, **settings).double(), text()
    written, order = ContinuedText(model.loop), torch.tensor([1, 1, 0])
    start = written.read(tokens[:, :6])
    torch.testing.assert_close(start, model(tokens)[0][:, :6])
    written.reorder(order)
    tokens = torch.cat([tokens[order, :6], tokens[:, 6:]], dim=1)
    whole = model(tokens)[0]
    for end in range(7, tokens.size(1) + 1):
        step = written.read(tokens[:, :end])
        torch.testing.assert_close(step, whole[:, end - 1 : end])


def test_copies_of_a_model_have_loops_of_their_own():
    model, tokens = Model().double(), text()
    expected = model(tokens)[0]
    other = copy.deepcopy(model)
    nn.init.zeros_(other.memory.weight)
    nn.init.zeros_(other.embedding.weight)
    assert not torch.allclose(other(tokens)[0], expected)
    torch.testing.assert_close(model(tokens)[0], expected)


@pytest.mark.parametrize("build", [RecurrentMemoryTransformer, Model])
@pytest.mark.parametrize("recompute", [False, True])
def test_one_graph_in_training(build, recompute):
    """``torch.compile(fullgraph=True)``; outputs and gradients are equal."""
    model = build().train()
    model.loop = copy.copy(model.loop)
    object.__setattr__(model.loop, "recompute", recompute)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    gradients, state = [], model(text())[1]
    for reader in (model, compiled):
        model.zero_grad()
        features, after = reader(text(), state)
        features.pow(2).sum().backward()
        gradients.append([features, *after.values(), *(p.grad for p in model.parameters())])
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("build", [RecurrentMemoryTransformer, Model])
def test_nobody_looks_at_a_value(build):
    """On the ``meta`` device, which has none."""
    model, tokens = build().to("meta"), text().to("meta")
    features, state = model.train()(tokens)
    features, state = model(tokens, state)
    features.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    with torch.no_grad():
        assert model.eval()(tokens, state)[0].is_meta
