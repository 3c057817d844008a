"""The associative memory of a layer, against a slow loop over its equations."""

import pytest
import torch
from torch import Tensor

from fairseq_memtx.memory import AssociativeMemory

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
    for _ in range(4):
        rows = torch.randn(3, 4, C, generator=numbers, dtype=torch.float64)
        read = module.read(rows, state)
        state = module.write(rows[:, -M:], state)
        for stream, other in enumerate(slow):
            expected = torch.tensor([other.read(row) for row in rows[stream].tolist()]).double()
            torch.testing.assert_close(read[stream], expected, rtol=1e-6, atol=1e-7)
            other.write(rows[stream, -M:].tolist())
            torch.testing.assert_close(state["A"][stream], torch.tensor(other.A).double())
            torch.testing.assert_close(state["z"][stream], torch.tensor(other.z).double())
