"""The associative memory of a layer, against a slow loop over its equations."""

import pytest
import torch
from torch import Tensor

from fairseq_memtx.memory import AssociativeMemory, Segment
from fairseq_memtx.memory.associative_memory import key_features
from fairseq_memtx.memory.state import emptied

C, D, M = 5, 3, 2


def memory(correction: bool = True) -> AssociativeMemory:
    torch.manual_seed(1)
    module = AssociativeMemory(C, D, correction).double()
    torch.nn.init.normal_(module.value_proj.weight)
    return module


def beginning(module: AssociativeMemory, streams: int = 1) -> dict[str, Tensor]:
    return {
        "A": torch.zeros(streams, module.features, C, dtype=torch.float64),
        "z": torch.zeros(streams, module.features, dtype=torch.float64),
    }


def features(x: list[float]) -> list[float]:
    """DPFP-3, channel by channel."""
    both = [max(value, 0.0) for value in x] + [max(-value, 0.0) for value in x]
    return [both[i] * both[i - j] for j in (1, 2, 3) for i in range(len(both))]


def times(weight: Tensor, x: list[float]) -> list[float]:
    return [sum(w * value for w, value in zip(row, x)) for row in weight.tolist()]


class Slow:
    """One stream, one row at a time, in Python's numbers; the first segment is told of."""

    def __init__(self, module: AssociativeMemory) -> None:
        self.module, self.first = module, True
        self.A = [[0.0] * C for _ in range(module.features)]
        self.z = [0.0] * module.features

    def under(self, key: list[float]) -> list[float]:
        size = sum(z * k for z, k in zip(self.z, key)) + 1e-5
        return [sum(row[c] * k for row, k in zip(self.A, key)) / size for c in range(C)]

    def read(self, row: list[float]) -> list[float]:
        return self.under(features(times(self.module.query_proj.weight, row)))

    def write(self, rows: list[list[float]]) -> None:
        module, changes = self.module, []
        for row in rows:
            key = features(times(module.key_proj.weight, row))
            value = times(module.value_proj.weight, row)
            score = times(module.strength_proj.weight, row)[0] + module.strength_proj.bias.item()
            strength, stored, novelty = 1 / (1 + 2.718281828459045**-score), self.under(key), 1.0
            if module.correction and not self.first:
                known = sum(z * k for z, k in zip(self.z, key)) + 1e-5
                novelty = min(1.0, max(0.0, 1 - known / (sum(k * k for k in key) + 1e-5)))
            changes.append((key, [strength * (v - s) for v, s in zip(value, stored)], novelty))
        for key, change, novelty in changes:
            for i, k in enumerate(key):
                self.z[i] += novelty * k
                for c in range(C):
                    self.A[i][c] += k * change[c]
        self.first = False


@pytest.mark.parametrize("correction", [True, False])
def test_it_computes_the_equations(correction):
    module, numbers = memory(correction), torch.Generator().manual_seed(2)
    state, slow = beginning(module, 3), [Slow(module) for _ in range(3)]
    for segment in range(4):
        if segment == 2:  # one stream begins anew
            state, slow[1] = emptied(state, torch.tensor([False, True, False])), Slow(module)
        rows = torch.randn(3, 4, C, generator=numbers, dtype=torch.float64)
        read = module.read(rows, state)
        state = module.write(rows[:, -M:], state)
        for stream, other in enumerate(slow):
            expected = torch.tensor([other.read(row) for row in rows[stream].tolist()]).double()
            torch.testing.assert_close(read[stream], expected, rtol=1e-6, atol=1e-7)
            other.write(rows[stream, -M:].tolist())
            torch.testing.assert_close(state["A"][stream], torch.tensor(other.A).double())
            torch.testing.assert_close(state["z"][stream], torch.tensor(other.z).double())


def plain(module: AssociativeMemory, segments: Tensor) -> Tensor:
    """What one stream reads, ``segments x N x C``, for autograd: row by row, no batch."""
    A, z, read = torch.zeros(module.features, C).double(), torch.zeros(module.features).double(), []
    for index, rows in enumerate(segments):
        queries = key_features(rows @ module.query_proj.weight.T)
        read.append(torch.stack([A.T @ q / (z @ q + 1e-5) for q in queries]))
        before = A, z
        for row in rows[-M:]:
            key = key_features(module.key_proj.weight @ row)
            stored, known = before[0].T @ key / (before[1] @ key + 1e-5), before[1] @ key + 1e-5
            novelty = (1 - known / (key @ key + 1e-5)).clamp(0, 1).detach() if index else 1.0
            strength = torch.sigmoid(module.strength_proj(row))
            A = A + torch.outer(key, strength * (module.value_proj.weight @ row - stored))
            z = z + novelty * key
    return torch.stack(read)


def test_gradients_over_segments_are_exact():
    module, numbers = memory(), torch.Generator().manual_seed(3)
    texts = torch.randn(2, 4, 4, C, generator=numbers, dtype=torch.float64)
    state, read = beginning(module, 2), []
    for rows in texts.unbind(dim=1):
        read.append(module.read(rows, state))
        state = module.write(rows[:, -M:], state)
    weights = list(module.parameters())
    found = torch.autograd.grad(torch.stack(read, dim=1).pow(3).sum(), weights)
    expected = torch.stack([plain(module, text) for text in texts])
    torch.testing.assert_close(torch.stack(read, dim=1), expected)
    torch.testing.assert_close(found, torch.autograd.grad(expected.pow(3).sum(), weights))


def notebook(correction: bool = True) -> AssociativeMemory:
    """A row is a key of 3 channels and a value of 2, and all of it is written."""
    module = memory(correction)
    with torch.no_grad():
        for projection in (module.query_proj, module.key_proj):
            projection.weight.copy_(100 * torch.eye(D, C))
        module.value_proj.weight.copy_(torch.diag(torch.tensor([0.0, 0, 0, 1, 1])))
        module.strength_proj.bias.fill_(50)
    return module


KEY, VALUE, NEWER = [1.0, 2.0, -1.0], [3.0, -4.0], [-7.0, 5.0]


def rewritten(module: AssociativeMemory) -> tuple[list[dict[str, Tensor]], list[Tensor]]:
    """States after the same key was written twice, and what is read under it after each."""
    states, read = [beginning(module)], []
    for value in (VALUE, NEWER):
        states.append(module.write(torch.tensor([[KEY + value]]).double(), states[-1]))
        read.append(module.read(torch.tensor([[[*KEY, 0, 0]]]).double(), states[-1])[0, 0, D:])
    return states[1:], read


def test_what_was_written_is_read():
    module = notebook()
    _, (first, _) = rewritten(module)
    torch.testing.assert_close(first, torch.tensor(VALUE).double(), rtol=1e-9, atol=0)
    nothing = module.read(torch.tensor([[[*KEY, 0, 0]]]).double(), beginning(module))
    assert nothing.eq(0).all()


def test_rewriting_replaces_a_value_and_counts_a_key_once():
    (once, twice), (_, second) = rewritten(notebook())
    torch.testing.assert_close(second, torch.tensor(NEWER).double(), rtol=1e-9, atol=0)
    torch.testing.assert_close(twice["z"], once["z"], rtol=1e-9, atol=0)
    (once, twice), (_, second) = rewritten(notebook(correction=False))
    torch.testing.assert_close(second, torch.tensor(NEWER).double() / 2, rtol=1e-9, atol=0)
    torch.testing.assert_close(twice["z"], 2 * once["z"])


@pytest.mark.parametrize("autocast", [False, True])
def test_sums_along_a_text_are_of_float32(autocast):
    """In bfloat16 a sum of ones ends at 256."""
    module = memory(correction=False).float()
    module = module if autocast else module.bfloat16()
    row = torch.randn(1, 1, C, generator=torch.Generator().manual_seed(4)).to(
        module.key_proj.weight
    )
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        state = {name: part.float() for name, part in beginning(module).items()}
        state = once = module.write(row, state)
        for _ in range(599):
            state = module.write(row, state)
        read = module.read(row, state)
    assert state["A"].dtype == state["z"].dtype == torch.float32
    assert read.dtype == row.dtype
    torch.testing.assert_close(state["z"], 600 * once["z"], rtol=1e-4, atol=0)


def test_products_are_of_float32_under_autocast():
    """Where bfloat16 has a key's numbers and a value's, and not their products."""
    module = notebook().float()
    state = {name: part.float() for name, part in beginning(module).items()}
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        state = module.write(torch.tensor([[KEY + VALUE]]), state)
        read = module.read(torch.tensor([[[*KEY, 0, 0]]]), state)
    torch.testing.assert_close(read[0, 0, D:], torch.tensor(VALUE), rtol=1e-5, atol=0)


@pytest.mark.parametrize("autocast", [torch.float16, torch.bfloat16, None])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_what_is_read_leaves_room_for_scores_of_float16_and_is_exact_otherwise(dtype, autocast):
    """Of a query whose features are in A and not in z."""
    module = memory().to(dtype)
    state = {name: part.float() for name, part in beginning(module).items()}
    state["A"] += 1
    rows = torch.randn(1, 4, C, generator=torch.Generator().manual_seed(4)).to(dtype)
    with torch.no_grad(), torch.autocast("cpu", autocast, enabled=autocast is not None):
        queries = key_features(module.query_proj(rows).float())
        read = module.read(rows, state)
    wanted = queries.sum(dim=-1, keepdim=True).expand_as(rows) / 1e-5
    assert wanted.abs().max() > 1000
    if torch.float16 in (autocast, dtype):
        wanted = wanted.clamp(-64, 64)
    assert read.dtype == dtype
    torch.testing.assert_close(read.float(), wanted, rtol=1e-2, atol=0)


@pytest.mark.parametrize("writes", [True, False])
def test_around_a_layer(writes):
    """All rows read before it; the write block is written as the layer leaves it."""
    module, numbers = memory(), torch.Generator().manual_seed(5)
    before, rows = torch.randn(2, 2, 5, C, generator=numbers, dtype=torch.float64)
    state = module.write(before[:, -M:], beginning(module, 2))
    everything = torch.ones(2, 5, dtype=torch.bool)
    segment = Segment(torch.ones(5, 5).triu(1).bool(), everything, None, everything[0], M, writes)

    def layer(rows: Tensor, state: dict[str, Tensor], told: Segment):
        assert told is segment
        return 2 * rows + 1, {"cache": state["cache"] + rows}

    output, after = module(layer, rows, {**state, "cache": before}, segment)
    entered = rows + module.read(rows, state)
    torch.testing.assert_close(output, 2 * entered + 1)
    written = module.write(output[:, -M:], state) if writes else state
    torch.testing.assert_close(after, {**written, "cache": before + entered})
