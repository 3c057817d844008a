"""Documents of the task ``reading``: what they tell, and the best accuracy without memory."""

import itertools
from collections import defaultdict
from fractions import Fraction

import pytest

from fairseq_memtx.data.facts.documents import FactDocuments
from fairseq_memtx.data.facts.noise import DrawnNoise
from fairseq_memtx.data.facts.vocabulary import dictionary_of
from fairseq_memtx.data.questions.dataset import QuestionDataset
from fairseq_memtx.data.stories.told_facts import FactsApart
from fairseq_memtx.errors import MemtxError


def documents(facts=2, length=30, distance=4, size=60, split="train", names=4) -> FactDocuments:
    teller, noise = FactsApart(facts, names, 3), DrawnNoise(5)
    dictionary = dictionary_of([*teller.words, *noise.vocabulary])
    return FactDocuments(teller, noise, dictionary, length, distance, size, 1, split)


def test_a_question_its_document_and_the_fact_that_answers():
    for example in map(documents(facts=3).__getitem__, range(60)):
        words = example.question.context.split()
        assert len(words) == 30
        told = [words[n - 1 : n + 3] for n, word in enumerate(words) if word == "is"]
        assert len({fact[0] for fact in told}) == 3, "about three people"
        assert all(word.startswith("w") for word in words[:4])
        where, is_, name = example.question.text.split()
        assert (where, is_) == ("where", "is")
        start, end = example.question.span
        assert example.question.context[start:end] == example.question.answers[0]
        assert example.question.answers[0].split() in [fact for fact in told if fact[0] == name]


def test_a_row_is_the_question_and_the_whole_document():
    drawn = documents()
    dataset = QuestionDataset([drawn[0]], drawn.dictionary, whole=True)
    item = dataset[0]
    (row,), ((first, last),) = item["rows"], item["answers"]
    text = [drawn.dictionary[symbol] for symbol in row]
    assert text[:6] == ["<s>", *drawn[0].question.text.split(), "</s>", "</s>"]
    assert text[6:-1] == drawn[0].question.context.split()
    assert " ".join(text[first : last + 1]) == drawn[0].question.answers[0]


def test_facts_stand_anywhere_behind_the_distance():
    places = defaultdict(int)
    for example in map(documents(facts=1, length=10, size=2000).__getitem__, range(2000)):
        places[example.question.context.split().index("is") - 1] += 1
    assert sorted(places) == [4, 5, 6]
    assert min(places.values()) > 600


def test_no_story_is_in_two_parts_whoever_is_asked_for():
    told = {}
    for split in ("train", "valid", "test"):
        # Without noise, so that a text is its facts.
        drawn = documents(facts=3, names=4, length=12, distance=0, size=300, split=split)
        told[split] = {drawn[index].question.context for index in range(300)}
    assert not told["train"] & told["valid"]
    assert not told["test"] & (told["train"] | told["valid"])


def best_of_all_readers(facts: int, length: int, distance: int, chunk: int) -> Fraction:
    """By counting: every layout, every fact that can be asked for, every way to score.

    A reader of single chunks gives the chunk of the question scores that depend on what is asked,
    and every other fact one that does not. So it is tried with every order of preference among the
    facts that do not begin in that chunk.
    """
    noise = length - distance - 4 * facts
    right = total = Fraction(0)
    for places in itertools.product(range(noise + 1), repeat=facts):
        begins = [distance + place + 4 * j for j, place in enumerate(sorted(places))]
        # <s> where is NAME </s> </s>, then the document
        same = [(6 + begin) // chunk == 3 // chunk for begin in begins]
        best = 0
        for order in itertools.permutations(range(facts)):
            hits = 0
            for asked in range(facts):
                if same[asked]:
                    hits += 1
                else:
                    hits += asked == next(fact for fact in order if not same[fact])
            best = max(best, hits)
        right += Fraction(best, facts)
        total += 1
    return right / total


@pytest.mark.parametrize("chunk", [2, 3, 4, 8, 10, 11, 13, 16, 19, 64])
@pytest.mark.parametrize(("facts", "distance"), [(1, 0), (2, 0), (3, 0), (2, 5), (3, 3)])
def test_best_without_memory_is_that_of_the_best_reader_of_all(facts, distance, chunk):
    length = distance + 4 * facts + 4
    best = documents(facts, length, distance).best_without_memory(chunk)
    assert best == pytest.approx(float(best_of_all_readers(facts, length, distance, chunk)))


def test_far_facts_leave_chance_alone():
    assert documents(facts=4, length=512, distance=64).best_without_memory(64) == 0.25
    near = documents(facts=4, length=512, distance=0).best_without_memory(64)
    assert 0.25 < near < 0.5
    assert documents(facts=4, length=512).best_without_memory(1024) == 1


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        ({"distance": -1}, "--distance must be at least 0, not -1"),
        ({"facts": 3, "length": 15}, "--facts 3 behind --distance 4 need 4 words each, more than"),
        ({"facts": 5}, "--facts 5 are about as many people and --names is 4"),
    ],
)
def test_impossible_sizes(sizes, says):
    with pytest.raises(MemtxError, match=says):
        documents(**sizes)
