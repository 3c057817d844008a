"""Answers scored as the metrics' definitions have it, worked out by hand."""

import pytest

from fairseq_memtx.text.questions.metrics import hotpotqa, normalise, squad_1_1, squad_2_0

METRICS = [squad_1_1, squad_2_0, hotpotqa]


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ("  The  Cat,\n and a DOG!", "cat and dog"),
        ("U.S.-born", "usborn"),  # punctuation goes without leaving a space
        ("a.n.", ""),  # and before articles do
        ("Theatre of an Android", "theatre of android"),
        ("«été»", "«été»"),  # only ASCII's is punctuation
        ("the, a; AN", ""),
    ],
)
def test_what_is_compared(answer, left):
    assert normalise(answer) == left


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("prediction", "gold", "exact_match", "f1"),
    [
        ("The Cat.", "cat", 1, 1),
        ("big cat", "small cat", 0, 1 / 2),
        ("cat", "a very big cat", 0, 1 / 2),  # precision 1, recall 1/3
        ("cat cat dog", "cat dog dog", 0, 2 / 3),  # words count as often as they come
        ("dog", "cat", 0, 0),
        ("北京市", "北京", 0, 4 / 5),  # a character is a word where there are no spaces
        ("กรุงเทพ", "กรุงเทพ", 1, 1),
        ("", "cat", 0, 0),
    ],
)
def test_one_gold_answer(metric, prediction, gold, exact_match, f1):
    assert metric(prediction, [gold]) == pytest.approx((exact_match, f1))


@pytest.mark.parametrize("metric", METRICS)
def test_the_best_gold_answer_counts(metric):
    assert metric("big cat", ["dog", "a big dog", "big red cat"]) == pytest.approx((0, 0.8))
    assert metric("big cat", ["dog", "the big cat", "cat"]) == (1, 1)


def test_answers_without_words():
    """The two versions of SQuAD treat them differently."""
    assert squad_1_1("a", ["the"]) == (1, 0)
    assert squad_2_0("a", ["the"]) == (1, 1)
    assert squad_1_1("a", ["the", "cat"]) == (1, 0)
    assert squad_2_0("a", ["the", "cat"]) == (0, 0)


def test_unanswerable_questions():
    assert squad_2_0("", []) == (1, 1)
    assert squad_2_0("The.", []) == (1, 1)
    assert squad_2_0("cat", []) == (0, 0)


@pytest.mark.parametrize("verdict", ["yes", "No", "noanswer"])
def test_a_verdict_of_hotpotqa_is_right_or_wrong(verdict):
    assert hotpotqa(verdict, [f"{verdict} indeed"]) == (0, 0)
    assert hotpotqa(f"{verdict} indeed", [verdict]) == (0, 0)
    assert hotpotqa(f"The {verdict}!", [verdict]) == (1, 1)
    assert squad_1_1(verdict, [f"{verdict} indeed"]) == pytest.approx((0, 2 / 3))
