"""What is measured, against plain and slow versions, on models that are built on the spot."""

import math

import pytest
import torch

from fairseq_memtx.inspection import exchange, probe
from fairseq_memtx.inspection.attention_maps import _together
from fairseq_memtx.inspection.drift import _followed
from fairseq_memtx.inspection.exchange import Predictions, exchanged


def test_a_probe_finds_what_is_there_and_no_more():
    torch.manual_seed(1)
    answers = torch.randint(4, (400,))
    there = torch.randn(400, 12)
    there[:, 3:7] += 3 * torch.nn.functional.one_hot(answers, 4)
    assert probe.accuracy(there, answers, answers) > 0.9
    assert probe.accuracy(torch.randn(400, 12), answers, answers) < 0.4
    mixed = answers[torch.randperm(400)]
    assert probe.accuracy(there, answers, mixed) < 0.45


def test_a_probe_is_measured_on_the_other_half():
    """What can be learnt by heart of the first half helps nobody."""
    torch.manual_seed(1)
    answers = torch.randint(4, (60,))
    assert probe.accuracy(torch.randn(60, 500), answers, answers) < 0.6


def test_exchanged_rows_are_the_next_inputs():
    rows = torch.arange(24.0).view(3, 4, 2)
    after = exchanged(rows, [1, 3])
    for b in range(3):
        for slot in range(4):
            of = (b + 1) % 3 if slot in (1, 3) else b
            assert torch.equal(after[b, slot], rows[of, slot])


def test_who_follows_the_exchanged_part():
    """Four places, two of which memory decides; part b alone carries one of them."""
    symbols = {(): [0, 0, 0, 0], ("a",): [0, 0, 0, 2], ("b",): [1, 0, 0, 0]}

    def predict(parts) -> Predictions:
        likeliest = torch.tensor(symbols.get(tuple(parts), [1, 1, 0, 0]))
        scores = torch.full((4, 3), 0.1).scatter(1, likeliest[:, None], 0.8).log()
        return Predictions(scores, torch.zeros(4, dtype=torch.long), torch.tensor([1, 1, 1, 0]))

    found = exchange.measure(predict, ["a", "b"])
    assert (found["places"], found["decided"]) == (4, 2)
    records = {record["part"]: record for record in found["exchanged"]}
    assert [records[part]["follows"] for part in ("none", "all", "a", "b")] == [0, 1, 0, 0.5]
    assert [records[part]["own"] for part in ("none", "all", "a", "b")] == [1, 0.5, 0.75, 0.75]
    assert records["all"]["partners"] == 0.75
    assert records["none"]["moved"] == 0
    step = 0.7 * math.log2(8)  # of a place that moves: 0.8 log 8 - 0.1 log 8
    assert records["all"]["moved"] == pytest.approx(step * 2 / 4, rel=1e-5)
    assert records["none"]["bits"] == pytest.approx(-math.log2(0.8), rel=1e-5)


def test_drift_is_lengths_and_cosines():
    one, two = torch.tensor([[3.0, 4.0]]), torch.tensor([[4.0, -3.0]])
    found = _followed([torch.zeros(1, 2), one, two, 2 * one])
    assert found["norm"] == pytest.approx([0, 5, 5, 10])
    assert found["to_before"][:2] == [None, None]
    assert found["to_before"][2:] == pytest.approx([0, 0], abs=1e-6)
    assert found["to_start"][0] is None
    assert found["to_start"][1:] == pytest.approx([1, 0, 1], abs=1e-6)


def test_maps_made_smaller_keep_their_sums():
    torch.manual_seed(1)
    weights = torch.rand(5, 6, dtype=torch.float64)
    weights /= weights.sum(1, keepdim=True)
    queries, keys = torch.tensor([0, 1, 1, 2, 2]), torch.tensor([0, 0, 1, 2, 2, 2])
    small = _together(weights, queries, keys)
    assert small.shape == (3, 3)
    torch.testing.assert_close(small.sum(1), torch.ones(3, dtype=torch.float64))
    expected = weights[1:3, 3:].sum() / 2
    torch.testing.assert_close(small[1, 2], expected)
