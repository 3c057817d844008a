"""What is measured, against plain and slow versions, on models that are built on the spot."""

import math
from argparse import Namespace

import pytest
import torch
from conftest import SMALL, batch, build, toy_task, words
from fairseq.models import ARCH_CONFIG_REGISTRY

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.inspection import (
    coverage,
    decoder_reading,
    exchange,
    exchange_in_segments,
    lesion,
    probe,
    task_metric,
    writers,
)
from fairseq_memtx.inspection.attention_maps import LONGEST, _side, _together
from fairseq_memtx.inspection.drift import _followed
from fairseq_memtx.inspection.exchange import Predictions, _divergence, exchanged
from fairseq_memtx.inspection.kept_tokens import with_tokens
from fairseq_memtx.inspection.task_metric import Metric
from fairseq_memtx.models.mem_transformer import MemoryTransformerModel
from fairseq_memtx.modules.attention_rows import RowKind


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


def test_the_control_is_trained_on_shuffled_answers(monkeypatch):
    asked = []
    monkeypatch.setattr(probe, "accuracy", lambda *those: asked.append(those[1:]) or 0.0)
    monkeypatch.setattr(probe, "states", lambda *_: [{"memory": torch.zeros(40, 1, 3)}])
    answers = torch.arange(40) % 4
    monkeypatch.setattr(probe, "_questions", lambda *_: [probe.Question("which?", answers)])
    rows = Namespace(tokens=torch.zeros(40, 6), border=3)
    probe.measure(Namespace(model=None), rows)
    (labels, mixed), *others = asked
    assert torch.equal(labels.sort().values, mixed.sort().values)
    assert not torch.equal(labels, mixed)
    assert others
    assert all(torch.equal(one, other) for one, other in others)


def test_what_is_impossible_moves_nothing():
    """A symbol that had no chance before is no part of the divergence, and makes no NaN."""
    before = torch.tensor([[0.5, 0.5, 0.0]]).log()
    after = torch.tensor([[0.25, 0.5, 0.25]]).log()
    assert _divergence(before, after) == pytest.approx(0.5)
    assert _divergence(before, before) == 0.0


def test_symbols_that_were_seen_too_seldom_are_not_listed():
    tokens = torch.tensor([[5, 5, 5, 6, 6]])
    written = torch.tensor([[1.0, 2.0, 3.0, 9.0, 9.0]])
    (record,) = writers._symbols(tokens, written, words())
    assert record == {"symbol": words()[5], "times": 3, "written": 2.0}


def test_unknown_words_of_both_sides_are_no_match():
    """Or a translator that says nothing but unknown words would be right about all of them."""
    dictionary = words()

    def bleu(*symbols: int) -> float:
        tokens = torch.tensor([[*symbols, dictionary.eos()]])
        task = Namespace(
            target_dictionary=dictionary,
            cfg=Namespace(data=None),
            build_generator=lambda *_: None,
            inference_step=lambda *_: [[{"tokens": tokens[0]}]],
        )
        return task_metric._bleu(Namespace(task=task, samples=[{"target": tokens}]), None, 1)

    assert bleu(5, 6, 7, 8, 9) == pytest.approx(100)
    assert bleu(*[dictionary.unk()] * 5) == 0


def test_exchanged_rows_are_the_next_inputs():
    rows = torch.arange(24.0).view(3, 4, 2)
    after = exchanged(rows, [1, 3])
    for b in range(3):
        for slot in range(4):
            of = (b + 1) % 3 if slot in (1, 3) else b
            assert torch.equal(after[b, slot], rows[of, slot])


def test_parts_of_a_state_are_those_of_the_next_stream():
    state = {"memory": torch.rand(3, 2, 4), "layers.0.A": torch.rand(3, 5, 4)}
    state |= {"layers.0.z": torch.rand(3, 5), "layers.1.A": torch.rand(3, 5, 4)}
    after = exchange_in_segments.exchange(state, ["slot 1", "layer memory 0"])
    assert after.keys() == state.keys()
    for b in range(3):
        of = (b + 1) % 3
        slots = [state["memory"][b, 0], state["memory"][of, 1]]
        assert torch.equal(after["memory"][b], torch.stack(slots))
        for name in ("layers.0.A", "layers.0.z"):
            assert torch.equal(after[name][b], state[name][of])
        assert torch.equal(after["layers.1.A"][b], state["layers.1.A"][b])


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
    found = _followed([torch.zeros(1, 2), one, two, 2 * one, torch.tensor([[0.0, 2.0]])])
    assert found["norm"] == pytest.approx([0, 5, 5, 10, 2])
    assert found["to_before"][:2] == [None, None]
    assert found["to_before"][2:] == pytest.approx([0, 0, 0.8], abs=1e-6)
    assert found["to_start"][0] is None
    assert found["to_start"][1:] == pytest.approx([1, 0, 1, 0.8], abs=1e-6)


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


@pytest.mark.parametrize("tokens", [32, 100, 7])
def test_stretches_are_of_one_length(tokens):
    """Padding is no part of a document."""
    torch.manual_seed(1)
    real = torch.arange(tokens + 5) < tokens
    slots = torch.rand(2, tokens + 5)
    expected = torch.zeros(2, coverage.STRETCHES)
    for place in range(tokens):
        expected[:, place * coverage.STRETCHES // tokens] += slots[:, place]
    torch.testing.assert_close(coverage._stretches(slots, real), expected)


@pytest.mark.parametrize("tokens", [1, LONGEST, LONGEST + 1, 2 * LONGEST, 3 * LONGEST - 1])
def test_no_more_tokens_are_taken_together_than_have_to_be(tokens):
    kinds = torch.tensor([RowKind.TOKEN] * tokens)
    groups = _side(kinds, torch.full((tokens,), 5), words()).groups
    together = math.ceil(tokens / LONGEST)
    assert groups.tolist() == [place // together for place in range(tokens)]


def test_symbols_that_a_slot_looks_at_more_than_they_come():
    dictionary = words(6)
    w0, rare = dictionary.index("w0"), dictionary.index("w5")
    uniform = torch.zeros(len(dictionary), dtype=torch.double)
    uniform[w0 : w0 + 5] = 2.0
    uniform[rare] = 0.001  # once in ten thousand
    weight = torch.zeros(1, len(dictionary), dtype=torch.double)
    weight[0, w0], weight[0, w0 + 3], weight[0, rare] = 3.0, 9.0, 4.0
    (found,) = coverage._symbols(weight, uniform, dictionary)
    assert [record["symbol"] for record in found[:2]] == ["w3", "w0"]
    assert "w5" not in [record["symbol"] for record in found]
    assert found[0]["times_uniform"] == pytest.approx((9 / 16) / (2 / 10.001))


def test_words_for_which_the_decoder_takes_most_from_memory():
    dictionary = words(4)
    w0, pad = dictionary.index("w0"), dictionary.pad()
    times = torch.zeros(len(dictionary), dtype=torch.double)
    weight = torch.zeros(len(dictionary), dtype=torch.double)
    for index, (count, share) in enumerate([(10, 0.1), (5, 0.3), (4, 0.9), (20, 0.2)]):
        times[w0 + index], weight[w0 + index] = count, count * share
    times[pad] = weight[pad] = 50
    found = decoder_reading._symbols(weight, times, dictionary, pad)
    assert [record["symbol"] for record in found] == ["w1", "w3", "w0"], "w2 came too seldom"
    assert [record["times"] for record in found] == [5, 20, 10]
    assert [record["share"] for record in found] == pytest.approx([0.3, 0.2, 0.1])


def test_which_tokens_a_lesion_leaves(monkeypatch):
    """The first so many, and all but each; a model there is none of is told, and no number."""

    def kept_alone(trained, kept):
        if not kept:
            raise MemtxError("nothing is left")
        return kept

    monkeypatch.setattr(lesion, "with_tokens", kept_alone)
    monkeypatch.setattr(
        lesion.task_metric, "measure",
        lambda trained, kept, beam: Metric("bits", sum(10.0**token for token in kept)),
    )  # fmt: skip
    found = lesion.measure(Namespace(model=range(3), memory_tokens=3), beam=1)
    assert (found["metric"], found["whole"], found["refused"]) == ("bits", 111, "nothing is left")
    remaining = {record["tokens"]: record["value"] for record in found["remaining"]}
    assert remaining == {0: None, 1: 1, 2: 11, 3: 111}
    without = {record["token"]: record["value"] for record in found["without"]}
    assert without == {0: 110, 1: 101, 2: 11}


def test_many_tokens_are_taken_away_in_even_steps():
    assert lesion._numbers(5) == [0, 1, 2, 3, 4]
    steps = lesion._numbers(120)
    assert steps == list(range(0, 120, 10))


@pytest.mark.parametrize("variant", ["tokens", "controller", "bottleneck"])
def test_a_model_with_some_of_its_tokens(variant):
    """The rest of its weights are the same, and so is what it says of them."""
    whole = build(variant, memory_tokens=4)
    cfg = Namespace(memory_tokens=4, memory_variant=variant, dropout=0.0, **SMALL)
    ARCH_CONFIG_REGISTRY["mem_transformer"](cfg)
    task = Namespace(build_model=lambda cfg: MemoryTransformerModel.build_model(cfg, toy_task()))
    trained = Namespace(model=whole, memory_tokens=4, cfg=Namespace(model=cfg), task=task)
    some = with_tokens(trained, [0, 2]).double()
    assert not some.training
    assert cfg.memory_tokens == 4, "the settings of the whole model stay"
    weights, left = whole.state_dict(), some.state_dict()
    assert left.keys() == weights.keys()
    for name, weight in weights.items():
        expected = weight[[0, 2]] if name.endswith("memory.weight") else weight
        torch.testing.assert_close(left[name], expected)
    source = batch(5, 7)
    lengths, target = torch.tensor([5, 7]), source.roll(1, 1)
    every = with_tokens(trained, [0, 1, 2, 3]).double()
    torch.testing.assert_close(every(source, lengths, target)[0], whole(source, lengths, target)[0])
    assert not torch.equal(some(source, lengths, target)[0], whole(source, lengths, target)[0])
