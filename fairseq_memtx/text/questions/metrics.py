"""How right an answer is: the metrics of SQuAD 1.1, SQuAD 2.0 and HotpotQA.

All compare answers in lower case, without punctuation, articles and surplus white space: the exact
match of the whole, and F1 of the words that two answers share. They differ in the corners.
"""

import re
import string
from collections import Counter
from typing import NamedTuple, Sequence

from ..words import split_words

ARTICLES = re.compile(r"\b(?:a|an|the)\b")
WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)
VERDICTS = {"yes", "no", "noanswer"}  # a HotpotQA answer of this kind is right or wrong


class Score(NamedTuple):
    """How right one answer is; both from 0 to 1."""

    exact_match: float
    f1: float


def normalise(answer: str) -> str:
    """What is left of an answer to compare: its words in lower case, one space between them."""
    letters = answer.lower().translate(WITHOUT_PUNCTUATION)
    return " ".join(ARTICLES.sub(" ", letters).split())


def word_f1(prediction: str, gold: str) -> float:
    """F1 of the words of two normalised answers; 0 if they share none, even if both are empty.

    A character of a script without spaces is a word, as in the evaluation of MLQA for Chinese.
    """
    predicted, right = split_words(prediction), split_words(gold)
    shared = sum((Counter(predicted) & Counter(right)).values())
    return 2 * shared / (len(predicted) + len(right)) if shared else 0.0


def squad_1_1(prediction: str, golds: Sequence[str]) -> Score:
    """The better of the golds counts, for exact match and F1 on their own."""
    prediction, golds = normalise(prediction), [normalise(gold) for gold in golds]
    return Score(float(prediction in golds), max(word_f1(prediction, gold) for gold in golds))


def squad_2_0(prediction: str, golds: Sequence[str]) -> Score:
    """As `squad_1_1`; of an unanswerable question, which has no golds, only ``""`` is right."""
    prediction = normalise(prediction)
    # Golds of articles and punctuation alone do not count beside others.
    golds = [gold for gold in map(normalise, golds) if gold]
    if prediction and golds:
        return squad_1_1(prediction, golds)
    right = float(bool(prediction) == bool(golds))
    return Score(right, right)


def hotpotqa(prediction: str, golds: Sequence[str]) -> Score:
    """As `squad_1_1`, except that F1 has no partial credit for yes, no and noanswer."""
    scores = []
    for gold in golds:
        answers = {normalise(prediction), normalise(gold)}
        wrong_verdict = len(answers) > 1 and answers & VERDICTS
        scores.append(Score(0.0, 0.0) if wrong_verdict else squad_1_1(prediction, [gold]))
    return Score(*map(max, zip(*scores)))


METRICS = {"squad-1.1": squad_1_1, "squad-2.0": squad_2_0, "hotpotqa": hotpotqa}
