"""Global-reasoning tasks: what the labels are, splits, and the best score without memory."""

import itertools
import pickle
from collections import defaultdict

import numpy as np
import pytest
import torch

from fairseq_memtx.data.global_reasoning.dataset import GlobalReasoningDataset
from fairseq_memtx.data.global_reasoning.majority_tagging import MajorityTagging
from fairseq_memtx.data.global_reasoning.signed_sum import SignedSum
from fairseq_memtx.errors import MemtxError

TASKS = [MajorityTagging(40, 3), SignedSum(40, 7)]


def sequences(reasoning, count: int, split: str = "train") -> list[tuple[list[str], list[str]]]:
    """Names of tokens and labels, as the task's dictionaries have them."""
    dataset = GlobalReasoningDataset(reasoning, count, 1, split)
    return [
        (
            [reasoning.symbols[token] for token in tokens],
            [reasoning.labels[label] for label in labels],
        )
        for tokens, labels in (dataset[index] for index in range(count))
    ]


def test_majority_by_domain():
    ties = 0
    for tokens, labels in sequences(MajorityTagging(20, 3), 200):
        counts = {symbol: tokens.count(str(symbol)) for symbol in range(1, 7)}
        for token, label in zip(tokens, labels):
            odd = int(token) - (int(token) - 1) % 2
            ties += counts[odd] == counts[odd + 1]
            assert int(label) == (odd if counts[odd] >= counts[odd + 1] else odd + 1)
    assert ties, "the rule for ties was put to the test"


def test_domains_are_equally_likely_and_shares_are_drawn_for_each():
    dataset = GlobalReasoningDataset(MajorityTagging(4000, 4), 100, 1, "train")
    counts = np.stack([np.bincount(dataset[i][0], minlength=8) for i in range(100)])
    domains = counts.reshape(100, 4, 2).sum(2) / 4000
    assert abs(domains - 0.25).max() < 0.035
    shares = counts[:, ::2] / counts.reshape(100, 4, 2).sum(2)
    # The deviation of U(0.4, 0.6), and that of a thousand draws on top of it.
    assert abs(shares.mean() - 0.5) < 0.01
    assert shares.std() == pytest.approx(np.hypot(0.2 / 12**0.5, 0.5 / 1000**0.5), rel=0.1)
    assert abs(np.corrcoef(shares[:, 0], shares[:, 1])[0, 1]) < 0.35


def test_signed_sum():
    drawn = set()
    for tokens, labels in sequences(SignedSum(30, 7, largest_digit=3), 100):
        assert labels == [str(sum(map(int, tokens)) % 7)] * 30
        drawn |= set(tokens)
    assert drawn == {"+1", "+2", "+3", "-1", "-2", "-3"}


@pytest.mark.parametrize("reasoning", TASKS)
@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_an_example_depends_on_its_number_alone(reasoning, split):
    dataset = GlobalReasoningDataset(reasoning, 9, 5, split)
    forward = [dataset[index] for index in range(9)]
    elsewhere = pickle.loads(pickle.dumps(dataset))
    for index in (7, 0, 8, 7):
        for ours, theirs in zip(forward[index], elsewhere[index]):
            assert ours.dtype == torch.long
            assert ours.shape == (40,)
            assert torch.equal(ours, theirs)


def test_same_examples_on_every_machine_and_in_every_version():
    drawn = {
        split: GlobalReasoningDataset(SignedSum(6, 5), 2, 1, split)[1][0].tolist()
        for split in ("train", "valid", "test")
    }
    assert drawn == {
        "train": [0, 14, 2, 10, 14, 11],
        "valid": [13, 2, 3, 14, 3, 2],
        "test": [4, 17, 14, 9, 6, 14],
    }


def test_seed_split_and_epoch_make_other_examples():
    def drawn(seed: int, split: str, epoch: int = 1) -> set[tuple[int, ...]]:
        dataset = GlobalReasoningDataset(TASKS[0], 20, seed, split)
        dataset.set_epoch(epoch)
        return {tuple(dataset[index][0].tolist()) for index in range(20)}

    sets = [drawn(1, "train"), drawn(1, "train", 2), drawn(2, "train"), drawn(1, "valid")]
    sets += [drawn(1, "valid1"), drawn(1, "test"), drawn(2, "test")]
    assert len(set.union(*sets)) == 20 * len(sets)
    assert drawn(1, "train", epoch=2) == sets[1]
    for split in ("valid", "test", "valid1"):
        assert drawn(1, split, epoch=2) == drawn(1, split)


def best_of_all_sequences(length: int, domains: int, chunk: int) -> float:
    """Bayes' rule by counting: every sequence there is, and for every chunk its likelier label."""
    shares = np.linspace(0.4, 0.6, 2001)
    joint = defaultdict(float)
    for tokens in itertools.product(range(2 * domains), repeat=length):
        counts = np.bincount(tokens, minlength=2 * domains).reshape(domains, 2)
        probability = domains**-length * np.prod(
            [np.mean(shares**first * (1 - shares) ** second) for first, second in counts]
        )
        for place in range(length):
            # `<s>` is at position 0, so that token i is at i + 1.
            seen = [(place + 1) // chunk == (other + 1) // chunk for other in range(length)]
            view = (place, tuple(itertools.compress(tokens, seen)))
            joint[view, counts[tokens[place] // 2].argmax()] += probability
    views = {view for view, _ in joint}
    return sum(max(joint[view, 0], joint[view, 1]) for view in views) / length


@pytest.mark.parametrize(
    ("length", "domains", "chunk"), [(6, 1, 3), (6, 1, 4), (4, 2, 2), (4, 2, 1), (3, 3, 2)]
)
def test_best_without_memory_is_bayes_rule(length, domains, chunk):
    best = MajorityTagging(length, domains).best_without_memory(chunk)
    assert best == pytest.approx(best_of_all_sequences(length, domains, chunk), abs=1e-5)


def test_best_without_memory_is_what_the_majority_of_a_chunk_reaches():
    """By symmetry that is the best rule, with the first symbol where both come equally often."""
    reasoning, chunk, right = MajorityTagging(300, 4), 32, []
    for index in range(1000):
        tokens, labels = reasoning.draw(np.random.RandomState(index))
        for part in np.split(np.arange(300), np.arange(chunk - 1, 300, chunk)):
            counts = np.bincount(tokens[part], minlength=8).reshape(4, 2)
            guesses = 2 * (tokens[part] // 2) + counts.argmax(1)[tokens[part] // 2]
            right += (guesses == labels[part]).tolist()
    assert np.mean(right) == pytest.approx(reasoning.best_without_memory(chunk), abs=0.006)


def test_best_without_memory_at_the_recommended_size():
    assert MajorityTagging(1024, 4).best_without_memory(64) == pytest.approx(0.6708, abs=1e-4)


@pytest.mark.parametrize("reasoning", TASKS)
def test_more_to_see_never_hurts(reasoning):
    scores = [reasoning.best_without_memory(chunk) for chunk in (1, 5, 20, 35, 40)]
    assert min(np.diff(scores)) > -1e-9
    assert 1 / len(reasoning.labels) < scores[0] + 1e-9
    assert scores[0] < scores[-1] < 1
    # `<s>` and all forty tokens.
    assert reasoning.best_without_memory(41) == pytest.approx(1)
    assert reasoning.best_without_memory(999) == pytest.approx(1)


def test_a_part_of_a_sum_says_nothing():
    assert SignedSum(1024, 10).best_without_memory(64) == pytest.approx(0.1)


def test_best_without_memory_knows_what_a_rest_can_be():
    """Steps of one: two unseen tokens add 0 half of the time; a single one adds 1 or -1."""
    reasoning = SignedSum(4, 10, largest_digit=1)
    assert reasoning.best_accuracy(2) == pytest.approx(0.5)
    assert reasoning.best_accuracy(3) == pytest.approx(0.5)
    # Chunks of `<s>`, three tokens | one token, `</s>`; the last token sees itself alone.
    assert reasoning.best_without_memory(4) == pytest.approx((3 * 0.5 + 3 / 8) / 4)


@pytest.mark.parametrize(
    ("kind", "sizes", "says"),
    [
        (MajorityTagging, (0, 4), "--sequence-length must be at least 1, not 0"),
        (MajorityTagging, (8, 0), "--domains must be at least 1, not 0"),
        (SignedSum, (-1, 4), "--sequence-length must be at least 1, not -1"),
        (SignedSum, (8, 1), "--modulus must be at least 2, not 1"),
        (SignedSum, (8, 2, 0), "--largest-digit must be at least 1, not 0"),
    ],
)
def test_impossible_sizes(kind, sizes, says):
    with pytest.raises(MemtxError, match=says):
        kind(*sizes)


def test_empty_set_and_examples_that_are_not_there():
    with pytest.raises(MemtxError, match="the set 'valid' must have at least 1 example, not 0"):
        GlobalReasoningDataset(TASKS[0], 0, 1, "valid")
    dataset = GlobalReasoningDataset(TASKS[0], 3, 1, "valid")
    for index in (3, -1):
        with pytest.raises(IndexError, match=f"there is no example {index} among 3"):
            dataset[index]
