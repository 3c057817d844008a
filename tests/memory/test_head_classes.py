"""The rule by which heads are classified, and the shares that it goes by."""

import math

import pytest
import torch

from fairseq_memtx.memory import CLASSES, RowKind, head_shares, shares_of

PADDING, TOKEN, MEMORY, WRITTEN = RowKind


def judge(weights, queries, keys) -> list[dict[str, list[tuple[float, float]]]]:
    """Of every head: (share of memory, that of uniform attention) of each row that has a choice."""
    heads = []
    for head in range(weights.size(1)):
        rows = {"memory": [], "tokens": []}
        for b in range(len(weights)):
            for i, kind in enumerate(queries[b].tolist()):
                if kind == PADDING:
                    continue
                seen = [k for k in range(keys.size(1)) if weights[b, head, i, k] > 0]
                seen = [k for k in seen if keys[b, k] != PADDING]
                inside = [k for k in seen if keys[b, k] in (MEMORY, WRITTEN)]
                if 0 < len(inside) < len(seen):
                    share = sum(float(weights[b, head, i, k]) for k in inside)
                    name = "tokens" if kind == TOKEN else "memory"
                    rows[name].append((share, len(inside) / len(seen)))
        heads.append(rows)
    return heads


def segment(batch: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Kinds of rows [read; tokens; write], and a random map with what they see."""
    torch.manual_seed(1)
    kinds = torch.tensor([[MEMORY] * 2 + [TOKEN] * 5 + [WRITTEN] * 2]).repeat(batch, 1)
    kinds[1, 5:7] = PADDING
    scores = 2 * torch.randn(batch, 4, 9, 9, dtype=torch.float64)
    hidden = torch.ones(9, 9).triu(1).bool()
    hidden[:2, :2] = hidden[7:, 7:] = False
    hidden = hidden | (kinds == PADDING)[:, None, None]
    return kinds, scores.masked_fill(hidden, -torch.inf).softmax(-1)


def test_shares_are_means_over_rows_that_have_a_choice():
    kinds, weights = segment()
    weights[1, :, 5:7] = math.nan  # rows of padding may be anything
    found = head_shares(shares_of(weights, kinds, kinds))
    for head, rows in zip(found, judge(weights, kinds, kinds), strict=True):
        for name, pairs in rows.items():
            share, uniform = torch.tensor(pairs, dtype=torch.float64).mean(0).tolist()
            assert getattr(head, f"{name}_to_memory") == pytest.approx(share, abs=1e-12)
            assert getattr(head, f"{name}_to_memory_uniform") == pytest.approx(uniform, abs=1e-12)


def test_shares_of_batches_add_up():
    kinds, weights = segment()
    parts = [shares_of(weights[i : i + 1], kinds[i : i + 1], kinds[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(sum(parts), shares_of(weights, kinds, kinds))


def planted(of_memory: float, of_tokens: float, memory: int = 4, tokens: int = 16) -> str:
    """Class of a head whose rows give memory such shares."""
    kinds = torch.tensor([[MEMORY] * memory + [TOKEN] * tokens])
    share = torch.tensor([of_memory] * memory + [of_tokens] * tokens, dtype=torch.float64)
    inside = share[:, None].expand(-1, memory) / memory
    outside = (1 - share)[:, None].expand(-1, tokens) / tokens
    weights = torch.cat([inside, outside], dim=1)[None, None]
    (head,) = head_shares(shares_of(weights, kinds, kinds))
    return head.name


def odds(times: float, uniform: float = 0.2) -> float:
    """The share whose odds are so many times those of uniform attention."""
    ratio = times * uniform / (1 - uniform)
    return ratio / (1 + ratio)


@pytest.mark.parametrize(
    ("of_memory", "of_tokens", "expected"),
    [
        (1, 1, "ignores"),  # uniform
        (1, 1.51, "reads"),
        (1, 1.49, "ignores"),
        (1.51, 1, "works"),
        (1.49, 1, "ignores"),
        (1 / 1.51, 1, "writes"),
        (1 / 1.49, 1, "ignores"),
        (1, 1 / 100, "ignores"),
        (2, 3, "reads"),
        (3, 2, "works"),
        (1 / 3, 2, "writes"),
        (1 / 2, 3, "reads"),
    ],
)
def test_the_rule(of_memory, of_tokens, expected):
    assert planted(odds(of_memory), odds(of_tokens)) == expected
    assert expected in CLASSES


def test_heads_without_a_choice():
    memory, tokens = torch.full((1, 3), MEMORY), torch.full((1, 6), TOKEN)
    rows = {
        "reads": (tokens, memory),  # as in a bottleneck
        "works": (memory, memory),  # as in a layer of memory alone
        "ignores": (tokens, tokens),
        "writes": (memory, tokens),
    }
    for name, (queries, keys) in rows.items():
        weights = torch.rand(1, 2, queries.size(1), keys.size(1)).softmax(-1)
        assert [head.name for head in head_shares(shares_of(weights, queries, keys))] == [name] * 2


def test_rows_without_a_choice_say_nothing_beside_others():
    """A segment's read block sees itself alone; its write block decides."""
    kinds = torch.tensor([[MEMORY] * 3 + [TOKEN] * 3 + [WRITTEN] * 3])
    weights = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    weights[..., :3, :3] = 1 / 3
    weights[..., 3:6, :6] = 1 / 6
    weights[..., 6:, :] = torch.tensor([0.02] * 3 + [0.9 / 3] * 3 + [0.04 / 3] * 3)
    (head,) = head_shares(shares_of(weights, kinds, kinds))
    assert head.name == "writes"
    assert head.memory_to_memory == pytest.approx(0.1)
