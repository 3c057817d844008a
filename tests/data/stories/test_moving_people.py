"""Stories about people who move, take and drop things, against a world that is read from words."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_memtx.data.stories import Story, make_teller
from fairseq_memtx.data.stories.word_lists import first

PEOPLE, ROOMS, THINGS = first(4, "name"), first(6, "place"), first(4, "thing")
SIZES = {"facts": st.integers(3, 14), "seed": st.integers(0, 10**6)}


def told(questions: str, facts: int, seed: int) -> Story:
    """A story of 4 people in 6 places, with 4 things where there are any."""
    return make_teller(questions, facts, 4, 6).draw(random.Random(seed))


def history(story: Story) -> list[dict[str, str | None]]:
    """After every sentence, where everybody and everything is; checks that it can happen.

    Slow and plain: the whole world is written down anew after each sentence. A thing that somebody
    has is where they are.
    """
    place: dict[str, str | None] = dict.fromkeys(PEOPLE + THINGS)
    owner: dict[str, str | None] = dict.fromkeys(THINGS)
    worlds = []
    for person, verb, *rest, last, stop in story.sentences:
        assert stop == "."
        place = dict(place)
        if verb in ("moved", "went", "journeyed", "travelled"):
            assert rest == ["to", "the"]
            assert place[person] != last
            place[person] = last
            for thing in THINGS:
                if owner[thing] == person:
                    place[thing] = last
        elif verb in ("took", "got", "grabbed"):
            assert rest == ["the"]
            assert owner[last] is None
            assert place[person] is not None
            assert place[last] in (None, place[person])
            owner[last] = person
            place[last] = place[person]
        else:
            assert verb in ("dropped", "left", "discarded")
            assert rest == ["the"]
            assert owner[last] == person
            owner[last] = None
        worlds.append(place)
    return worlds


@settings(deadline=None, max_examples=200)
@given(**SIZES)
def test_where_is_somebody(facts, seed):
    story = told("qa1", facts, seed)
    where, is_, person, mark = story.question
    assert (where, is_, mark) == ("Where", "is", "?")
    assert history(story)[-1][person] == story.answer
    assert not any(word in THINGS for sentence in story.sentences for word in sentence)


@settings(deadline=None, max_examples=200)
@given(**SIZES)
def test_where_is_something(facts, seed):
    story = told("qa2", facts, seed)
    assert [*story.question[:3], story.question[4]] == ["Where", "is", "the", "?"]
    assert history(story)[-1][story.question[3]] == story.answer


@settings(deadline=None, max_examples=200)
@given(**(SIZES | {"facts": st.integers(3, 60)}))  # so many that things come again to a place
def test_where_was_something_before(facts, seed):
    """Back in time: until it was last there, on until it was not, but somewhere else."""
    story = told("qa3", facts, seed)
    thing, place = story.question[3], story.question[6]
    assert story.question == ["Where", "was", "the", thing, "before", "the", place, "?"]
    way = [world[thing] for world in history(story)]
    while way[-1] != place:
        way.pop()
    while way[-1] == place:
        way.pop()
    assert way[-1] == story.answer


@pytest.mark.parametrize(("questions", "chance"), [("qa1", 1 / 6), ("qa2", 1 / 6), ("qa3", 1 / 5)])
def test_chance_is_that_of_the_most_frequent_answer(questions, chance):
    teller = make_teller(questions, 8, 4, 6)
    assert teller.chance == pytest.approx(chance)
    numbers = random.Random(7)
    stories = [teller.tell(numbers, "train") for _ in range(1500)]
    pairs = Counter((story.question[-2], story.answer) for story in stories)
    asked = Counter(story.question[-2] for story in stories)
    for (word, _), times in pairs.items():
        assert times / asked[word] == pytest.approx(chance, abs=0.09)
    assert len(pairs) == (30 if questions == "qa3" else 4 * 6)


def test_everything_happens():
    """All people, places, things, and all verbs."""
    numbers = random.Random(8)
    teller = make_teller("qa2", 14, 4, 6)
    seen = Counter(
        word for _ in range(300) for sentence in teller.draw(numbers).sentences for word in sentence
    )
    assert set(seen) == set(teller.words) - {"Where", "is", "was", "before", "?"}


def test_a_thing_comes_back():
    """Some are asked for in places where they were twice, and some after they changed hands."""
    numbers = random.Random(9)
    teller = make_teller("qa3", 24, 4, 6)
    twice = hands = 0
    for _ in range(300):
        story = teller.draw(numbers)
        thing, place = story.question[3], story.question[6]
        way = [world[thing] for world in history(story)]
        visits = [a for a, b in zip([None, *way], way) if a != b and b == place]
        twice += len(visits) > 1
        hands += len({s[0] for s in story.sentences if thing in s}) > 1
    assert twice > 20
    assert hands > 20
