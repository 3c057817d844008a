"""GPT-2 with memory as it was published, in plain loops: slow, and easy to believe.

RMT (arXiv:2207.06881) is ``[memory; words; memory]``, all in ordinary positions, and what the last
rows become is the next segment's memory. ARMT (arXiv:2407.04841) is ``[words; memory]``, its memory
rows are the same in every segment and have positions behind all others, if the table has them, and
what they become is written into each layer. Every row sees itself and those before it. One text, a
row at a time, float64; weights under their published names. A row is a vector of ``C`` channels.
"""

import math
from typing import Sequence

import torch
from torch import Tensor
from torch.nn.functional import layer_norm

CELL = "memory_cell.model.transformer"


class PublishedGpt2:
    """The model that a published state dict belongs to.

    Args:
        weights: by their published names.
        heads: of attention.
        positions: of words, in the table.
        correction: whether a key of a layer's memory counts once.
    """

    def __init__(
        self, weights: dict[str, Tensor], heads: int, positions: int, correction: bool = True
    ) -> None:
        self.weights = {name: weight.double() for name, weight in weights.items()}
        self.heads, self.positions, self.correction = heads, positions, correction
        self.memory = list(self.weights["memory_cell.memory"])
        self.associative = any(".W_mq." in name for name in weights)
        inside = f"{CELL}.h."
        numbers = {name[len(inside) :].split(".")[0] for name in weights if inside in name}
        self.layers = [f"{inside}{number}" for number in sorted(numbers, key=int)]

    def logits(self, words: Sequence[int], segment: int) -> Tensor:
        """Of the words after each word of a text, ``text x V``."""
        table, logits, memory = self.weights[f"{CELL}.wte.weight"], [], self.memory
        stored: list[tuple[Tensor, Tensor] | None] = [None] * len(self.layers)
        for start in range(0, len(words), segment):
            rows = [table[word] for word in words[start : start + segment]]
            if self.associative:
                own = len(self.weights[f"{CELL}.wpe.weight"]) > self.positions
                behind = self.positions if own else len(rows)
                places = [*range(len(rows)), *range(behind, behind + len(memory))]
                before, rows = 0, rows + memory
            else:
                before, rows = len(memory), memory + rows + memory
                places = list(range(len(rows)))
            rows = [r + self.weights[f"{CELL}.wpe.weight"][p] for r, p in zip(rows, places)]
            for number, name in enumerate(self.layers):
                rows, stored[number] = self.layer(name, rows, stored[number])
            rows = [self.norm(f"{CELL}.ln_f", row) for row in rows]
            logits += [table @ row for row in rows[before : -len(memory)]]
            if not self.associative:
                memory = rows[-len(memory) :]
        return torch.stack(logits)

    def layer(self, name: str, rows: list[Tensor], stored):
        """A layer, with its memory if it has one."""
        if not self.associative:
            return self.block(name, rows), None
        if stored is not None:
            rows = [row + self.recall(self.key(name, "W_mq", row), *stored) for row in rows]
        rows = self.block(f"{name}.layer", rows)
        return rows, self.stored_after(name, rows[-len(self.memory) :], stored)

    def block(self, name: str, rows: list[Tensor]) -> list[Tensor]:
        """Attention and feed-forward layers of GPT-2."""
        channels = len(rows[0])
        size = channels // self.heads
        heads = [
            self.apply(f"{name}.attn.c_attn", self.norm(f"{name}.ln_1", row)).view(
                3, self.heads, size
            )
            for row in rows
        ]
        after = []
        for i, row in enumerate(rows):
            seen = []
            for head in range(self.heads):
                scores = [heads[i][0, head] @ heads[j][1, head] for j in range(i + 1)]
                shares = (torch.stack(scores) / math.sqrt(size)).softmax(dim=0)
                seen.append(sum(share * heads[j][2, head] for j, share in enumerate(shares)))
            row = row + self.apply(f"{name}.attn.c_proj", torch.cat(seen))
            inner = self.apply(f"{name}.mlp.c_fc", self.norm(f"{name}.ln_2", row))
            bent = (
                0.5
                * inner
                * (1 + torch.tanh(math.sqrt(2 / math.pi) * (inner + 0.044715 * inner**3)))
            )
            after.append(row + self.apply(f"{name}.mlp.c_proj", bent))
        return after

    def stored_after(self, name: str, memory: list[Tensor], stored):
        """The layer's memory, ``A`` and ``z``, after rows were written into it."""
        known = stored is not None
        keys = [self.key(name, "W_mk", row) for row in memory]
        A, z = stored or (torch.zeros(len(keys[0]), len(memory[0])).double(), keys[0] * 0)
        next_A, next_z = A.clone(), z.clone()
        for row, key in zip(memory, keys):
            value = self.weights[f"{name}.W_mv.weight"] @ row
            bias = self.weights[f"{name}.W_mb.bias"]
            strength = torch.sigmoid(self.weights[f"{name}.W_mb.weight"] @ row + bias)
            novelty = torch.tensor(1.0).double()
            if known:
                value = value - self.recall(key, A, z)
                if self.correction:
                    novelty = (1 - (z @ key + 1e-5) / (key @ key + 1e-5)).clamp(0, 1)
            next_A += strength * torch.outer(key, value)
            next_z += novelty * key
        return next_A, next_z

    def key(self, name: str, part: str, row: Tensor) -> Tensor:
        """Features of a query or a key (DPFP-3)."""
        x = self.weights[f"{name}.{part}.weight"] @ row
        both = torch.cat([x.relu(), (-x).relu()])
        return torch.cat([both * torch.roll(both, by) for by in (1, 2, 3)])

    @staticmethod
    def recall(key: Tensor, A: Tensor, z: Tensor) -> Tensor:
        """What is stored under a key."""
        return (A.T @ key) / (z @ key + 1e-5)

    def apply(self, name: str, row: Tensor) -> Tensor:
        """A matrix, which stands on its side, and a bias."""
        return row @ self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def norm(self, name: str, row: Tensor) -> Tensor:
        """Layer norm."""
        return layer_norm(
            row, row.shape, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], 1e-5
        )
