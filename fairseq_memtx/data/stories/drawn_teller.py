"""Stories about people in places that are drawn, and which of them are held out."""

import random
from abc import abstractmethod
from dataclasses import dataclass

from ..drawn_examples import at_least, part_named, part_of
from .story import Asked, Story, Teller
from .word_lists import first

SHARES = 8  # one story of eight is for validation, one for test
LEAST_STORIES = 128  # so that each of these two has about 16


@dataclass(frozen=True)
class DrawnTeller(Teller):
    """Draws stories, and keeps those of training, validation and test apart.

    A hash gives every story to one of the three, and a story of another part is drawn again.
    Stories that differ only in where their places begin (all places are moved on by the same
    number, around the list) are in one part, so that in each part all answers to a question are
    equally frequent and chance stays exact.

    If fewer than `LEAST_STORIES` differ by more than that, all parts tell all of them, as with one
    fact; then rows differ by the noise around them alone.

    Args:
        facts: that are told, at least 1.
        names: of people there are, at least 1.
        places: they can be in, at least 2.
        asked: questions of a story, at least 1; the same comes again where there are fewer.

    Raises:
        MemtxError: if a size is impossible, naming its flag.
    """

    facts: int
    names: int
    places: int
    asked: int = 1

    def __post_init__(self) -> None:
        at_least(1, "--facts", self.facts)
        at_least(1, "--names", self.names)
        at_least(2, "--places", self.places)
        at_least(1, "--asked", self.asked)

    @property
    def people(self) -> list[str]:
        """Names there are."""
        return first(self.names, "name")

    @property
    def answers(self) -> list[str]:
        """Places there are."""
        return first(self.places, "place")

    @property
    def chance(self) -> float:
        """One in as many as there are places."""
        return 1 / self.places

    @property
    @abstractmethod
    def stories(self) -> int:
        """So many stories at least begin in the same place."""

    @abstractmethod
    def draw(self, numbers: random.Random) -> Story:
        """Draw a story of any part, every place as likely as every other."""

    def tell(self, numbers: random.Random, split: str) -> Story:
        story = self.draw(numbers)
        if self.stories >= LEAST_STORIES:
            while part_of(self._from_first_place(story), SHARES) != part_named(split):
                story = self.draw(numbers)
        return story

    def asking(
        self, sentences: list[list[str]], questions: list[Asked], numbers: random.Random
    ) -> Story:
        """A story of these sentences, with some of the questions that they answer."""
        numbers.shuffle(questions)
        *before, last = [questions[n % len(questions)] for n in range(self.asked)]
        return Story(sentences, *last, tuple(before))

    def _from_first_place(self, story: Story) -> str:
        """The story with places as numbers, counted around the list from the first one told."""
        number = {place: number for number, place in enumerate(self.answers)}
        words = [word for sentence in (*story.sentences, story.question) for word in sentence]
        start = next(number[word] for word in words if word in number)
        return " ".join(
            str((number[word] - start) % self.places) if word in number else word for word in words
        )
