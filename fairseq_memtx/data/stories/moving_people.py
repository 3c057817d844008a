"""Stories like qa1, qa2 and qa3 of bAbI, made without its files."""

import random
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from ..drawn_examples import at_least
from .drawn_teller import DrawnTeller
from .story import Story
from .word_lists import first
from .world import DROPPED, MOVED, TOOK, World

CAST = 4  # people, and things, of one story; bAbI has 4 and 3 in all


@dataclass(frozen=True)
class MovingPeople(DrawnTeller):
    """``facts`` sentences about a `World`, and a question that they answer.

    Attributes:
        task: of bAbI that the stories are like.
        least: sentences before anything can be asked.
    """

    task: ClassVar[str]
    least: ClassVar[int]

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self.least, f"--questions {self.task}: --facts", self.facts)

    @property
    def things(self) -> list[str]:
        """Things there are, as many as names."""
        return first(self.names, "thing")

    @property
    def words(self) -> list[str]:
        """The same for all three tasks, so that a model can go on from one to the next."""
        acts = [*MOVED, *TOOK, *DROPPED, "to", "the", "."]
        asked = ["Where", "is", "was", "before", "?"]
        return acts + asked + self.people + self.answers + first(self.names, "thing")

    @abstractmethod
    def questions(self, world: World) -> list[tuple[list[str], str]]:
        """All that can be asked after what was told, and the answers."""

    def draw(self, numbers: random.Random) -> Story:
        questions: list[tuple[list[str], str]] = []
        while not questions:
            people = numbers.sample(self.people, min(CAST, self.names))
            things = numbers.sample(self.things, min(CAST, len(self.things)))
            world = World(people, self.answers, things)
            sentences = [world.next_sentence(numbers) for _ in range(self.facts)]
            questions = self.questions(world)
        return self.asking(sentences, questions, numbers)

    @property
    def stories(self) -> int:
        takes = len(self.things) * len(TOOK)
        moves = self.facts - (2 if takes else 1)  # that follow the first, of the same person
        ways = (len(MOVED) * (self.places - 1)) ** moves
        return self.names * len(MOVED) * (takes or 1) * ways


class WherePerson(MovingPeople):
    """Like qa1: people move; ``Where is Ada ?``."""

    task = "qa1"
    least = 1

    @property
    def things(self) -> list[str]:
        """None."""
        return []

    def questions(self, world: World) -> list[tuple[list[str], str]]:
        return [(["Where", "is", person, "?"], place) for person, place in world.place_of.items()]


class WhereThing(MovingPeople):
    """Like qa2: people also take and drop things; ``Where is the lamp ?``."""

    task = "qa2"
    least = 2

    def questions(self, world: World) -> list[tuple[list[str], str]]:
        return [
            (["Where", "is", "the", thing, "?"], way[-1]) for thing, way in world.way_of.items()
        ]


class WhereBefore(MovingPeople):
    """Like qa3: ``Where was the lamp before the attic ?``, when it came there last."""

    task = "qa3"
    least = 3

    @property
    def chance(self) -> float:
        """One in as many as there are other places than the one in the question."""
        return 1 / (self.places - 1)

    def questions(self, world: World) -> list[tuple[list[str], str]]:
        return [
            (["Where", "was", "the", thing, "before", "the", place, "?"], before)
            for thing, places in world.way_of.items()
            for place, before in dict(zip(places[1:], places)).items()
        ]
