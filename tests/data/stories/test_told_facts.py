"""Facts that are told and asked for: which stories there are, their answers, chance."""

import random
from collections import Counter, defaultdict
from fractions import Fraction
from itertools import permutations, product

import pytest

from fairseq_memtx.data.stories import QUESTIONS, Story, make_teller
from fairseq_memtx.data.stories.word_lists import first
from fairseq_memtx.errors import MemtxError

SIZES = {"one": (2, 3, 3), "newest": (3, 2, 3), "two-hops": (2, 2, 2)}
PEOPLE, PLACES, THINGS = first(3, "name"), first(3, "place"), first(3, "thing")


def every_story(questions: str, facts: int, names: int, places: int) -> list[str]:
    """All stories by the definition, each as often as all others: people, places, one asked."""
    people, rooms = PEOPLE[:names], PLACES[:places]
    told = []
    if questions == "newest":
        for who, where in product(product(people, repeat=facts), product(rooms, repeat=facts)):
            ways = {name: [w for n, w in zip(who, where) if n == name] for name in who}
            if any(a == b for way in ways.values() for a, b in zip(way, way[1:])):
                continue
            sentences = [[n, "is", "in", w] for n, w in zip(who, where)]
            for name, way in ways.items():
                if len(way) > 1:
                    told.append(Story(sentences, ["where", "is", name], way[-1]))
        return list(map(str, told))
    for who, where in product(permutations(people, facts), product(rooms, repeat=facts)):
        facts_told = [[n, "is", "in", w] for n, w in zip(who, where)]
        if questions == "one":
            for name, place in zip(who, where):
                told.append(Story(facts_told, ["where", "is", name], place))
            continue
        for things in permutations(THINGS[:names], facts):
            owned = [[n, "has", "the", thing] for n, thing in zip(who, things)]
            for sentences in permutations(facts_told + owned):
                for thing, place in zip(things, where):
                    told.append(Story(list(sentences), ["where", "is", "the", thing], place))
    return sorted(set(map(str, told)))


@pytest.mark.parametrize("questions", SIZES)
def test_stories_are_those_of_the_definition_and_chance_is_theirs(questions):
    teller = make_teller(questions, *SIZES[questions])
    every = every_story(questions, *SIZES[questions])
    numbers = random.Random(1)
    assert {str(teller.draw(numbers)) for _ in range(20000)} == set(every)
    answers = defaultdict(Counter)
    for story in every:
        question, answer = story.split("question=")[1].split(", answer=")
        answers[question][answer] += 1
    right = sum(max(seen.values()) for seen in answers.values())
    assert teller.chance == pytest.approx(float(Fraction(right, len(every))), abs=1e-12)
    assert teller.stories * teller.places <= len(every)


@pytest.mark.parametrize("questions", SIZES)
def test_drawn_answers_are_as_frequent_as_chance_says(questions):
    teller = make_teller(questions, 4, 8, 6)
    numbers = random.Random(2)
    seen = Counter(teller.tell(numbers, "train").answer for _ in range(3000))
    assert set(seen) == set(teller.answers)
    assert max(seen.values()) / 3000 == pytest.approx(teller.chance, abs=0.03)


def test_one_fact_is_about_who_is_asked_for():
    story = make_teller("one", 1, 4, 6).tell(random.Random(3), "train")
    ((person, *_, place),) = story.sentences
    assert story == Story([[person, "is", "in", place]], ["where", "is", person], place)


@pytest.mark.parametrize("questions", QUESTIONS)
@pytest.mark.parametrize(("names", "places"), [(8, 6), (40, 20)])
def test_words_are_all_that_is_told(questions, names, places):
    teller = make_teller(questions, 8, names, places)
    assert len(set(teller.words)) == len(teller.words)
    assert set(teller.answers) <= set(teller.words)
    numbers = random.Random(4)
    told = set()
    for split in ("train", "valid", "test"):
        for _ in range(40):
            story = teller.tell(numbers, split)
            assert story.answer in teller.answers
            told.update(*story.sentences, story.question, [story.answer])
    assert told <= set(teller.words)
    if names == 40:
        assert {"name33", "name40", "place17", "place20"} <= told
        assert not {"name32", "name41", "place16", "place21"} & told


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        (("one", 9, 8, 6), "--facts 9 are about as many people and --names is 8: raise --names"),
        (("two-hops", 9, 8, 6), "--facts 9 are about as many people and --names is 8"),
        (("newest", 1, 8, 6), "--questions newest: --facts must be at least 2, not 1"),
        (("qa1", 0, 8, 6), "--facts must be at least 1, not 0"),
        (("qa2", 1, 8, 6), "--questions qa2: --facts must be at least 2, not 1"),
        (("qa3", 2, 8, 6), "--questions qa3: --facts must be at least 3, not 2"),
        (("newest", 2, 0, 6), "--names must be at least 1, not 0"),
        (("one", 1, 8, 1), "--places must be at least 2, not 1"),
        (("three", 1, 8, 6), "--questions three is not known: choose one of one, newest,"),
    ],
)
def test_impossible_sizes_are_named(sizes, says):
    with pytest.raises(MemtxError) as error:
        make_teller(*sizes)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("questions", "facts"), [("one", 4), ("two-hops", 3), ("newest", 6)])
def test_every_question_of_several_has_the_answer_that_it_has_alone(questions, facts):
    teller = make_teller(questions, facts, 4, 5, asked=3)
    for seed in range(50):
        story = teller.tell(random.Random(seed), "train")
        asked = [*story.before, (story.question, story.answer)]
        assert len(asked) == 3
        for question, answer in asked:
            where = {told[0]: told[-1] for told in story.sentences if told[1] == "is"}
            owner = {told[-1]: told[0] for told in story.sentences if told[1] == "has"}
            assert answer == where[owner.get(question[-1], question[-1])]
        if questions != "newest":  # which may have fewer people to ask for
            assert len({str(question) for question, _ in asked}) == 3
