"""Which stories are held out: disjoint parts, in which chance is still exact."""

import random
from collections import Counter, defaultdict

import pytest

from fairseq_memtx.data.stories import QUESTIONS, Story, make_teller
from fairseq_memtx.data.stories.drawn_teller import LEAST_STORIES

PARTS = ("train", "valid", "test")


# So few stories each that two parts would share some, if they were drawn from all.
FEW = {
    "one": (2, 4, 6),
    "newest": (4, 2, 6),
    "two-hops": (2, 2, 3),
    "qa1": (2, 2, 6),
    "qa2": (3, 1, 4),
    "qa3": (3, 1, 4),
}


def told(questions: str, sizes: tuple[int, int, int], part: str, draws: int) -> dict[str, Story]:
    """Different stories that a part draws."""
    teller = make_teller(questions, *sizes)
    numbers = random.Random(5)
    stories = [teller.tell(numbers, part) for _ in range(draws)]
    return {str(story): story for story in stories}


def test_parts_share_all_stories_and_keep_chance_exact():
    """3 people in any order in 3 places each, 3 questions: 486."""
    parts = {
        part: told("one", (3, 3, 3), part, 5000 // (1 + 4 * (part != "train"))) for part in PARTS
    }
    sizes = [len(parts[part]) for part in PARTS]
    assert sum(sizes) == len(set().union(*parts.values())) == 486
    assert 0.05 < sizes[1] / 486 < 0.2
    assert 0.05 < sizes[2] / 486 < 0.2
    for part in PARTS:
        answers = defaultdict(Counter)
        for story in parts[part].values():
            answers[story.question[-1]][story.answer] += 1
        for seen in answers.values():
            assert len(seen) == 3
            assert len(set(seen.values())) == 1


@pytest.mark.parametrize("questions", QUESTIONS)
def test_no_story_is_in_two_parts(questions):
    train, valid, test = (set(told(questions, FEW[questions], part, 400)) for part in PARTS)
    assert not train & valid
    assert not train & test
    assert not valid & test


def test_too_few_stories_are_told_in_all_parts():
    """One fact: 4 names in 6 places, which every part has to know."""
    assert make_teller("one", 1, 4, 6).stories < LEAST_STORIES
    assert all(len(told("one", (1, 4, 6), part, 500)) == 24 for part in PARTS)


def test_parts_do_not_depend_on_how_a_split_is_numbered():
    teller = make_teller("one", 4, 8, 6)
    for split, part in [("valid1", "valid"), ("test2", "test"), ("train", "other")]:
        assert teller.tell(random.Random(6), split) == teller.tell(random.Random(6), part)
