"""Facts such as ``Ada is in cellar``, and a question about one of them."""

import math
import random
from dataclasses import dataclass, replace

from ...errors import MemtxError
from ..drawn_examples import at_least
from .drawn_teller import DrawnTeller
from .story import Story
from .word_lists import first


@dataclass(frozen=True)
class OneFact(DrawnTeller):
    """Facts about different people, one of whom is asked for.

    Places are drawn anew for every fact, so that several people may be in one.

    Raises:
        MemtxError: also if there are fewer names than facts.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.facts > self.names:
            raise MemtxError(
                f"--facts {self.facts} are about as many people and --names is {self.names}: raise "
                "--names or lower --facts"
            )

    @property
    def words(self) -> list[str]:
        return ["where", "is", "in", *self.people, *self.answers]

    @property
    def stories(self) -> int:
        return math.perm(self.names, self.facts) * self.places ** (self.facts - 1) * self.facts

    def draw(self, numbers: random.Random) -> Story:
        people = numbers.sample(self.people, self.facts)
        places = numbers.choices(self.answers, k=self.facts)
        questions = [(["where", "is", person], place) for person, place in zip(people, places)]
        return self.asking(list(map(fact, people, places)), questions, numbers)


@dataclass(frozen=True)
class FactsApart(OneFact):
    """The same, with parts that differ in what is told, whoever is asked for.

    So who read the facts alone knows nothing of the question: all of them are equally likely.
    """

    @property
    def stories(self) -> int:
        return math.perm(self.names, self.facts) * self.places ** (self.facts - 1)

    def _from_first_place(self, story: Story) -> str:
        return super()._from_first_place(replace(story, question=[]))


@dataclass(frozen=True)
class NewestFact(DrawnTeller):
    """Facts about people who come again, each time in another place; the newest counts.

    Asked for is one of those of whom two facts or more are told. The fewer names, the more often
    people come again; with one name all facts are about one person.

    Raises:
        MemtxError: also if there is one fact only.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(2, "--questions newest: --facts", self.facts)

    @property
    def words(self) -> list[str]:
        return ["where", "is", "in", *self.people, *self.answers]

    @property
    def stories(self) -> int:
        return self.names * (self.places - 1) ** (self.facts - 1)  # those about one person alone

    def draw(self, numbers: random.Random) -> Story:
        names = self.people
        again: list[str] = []
        while not again:
            people = numbers.choices(names, k=self.facts)
            again = [person for person in names if people.count(person) > 1]
        newest: dict[str, str] = {}
        sentences = []
        for person in people:
            others = [place for place in self.answers if place != newest.get(person)]
            newest[person] = numbers.choice(others)
            sentences.append(fact(person, newest[person]))
        questions = [(["where", "is", person], newest[person]) for person in again]
        return self.asking(sentences, questions, numbers)


@dataclass(frozen=True)
class TwoHops(OneFact):
    """Two facts a person, in any order: who has which thing, and who is where.

    ``Ada has the lamp``, ``Ada is in cellar``, ``where is the lamp``: there are as many things
    as names, and ``facts`` people of whom both are told.
    """

    @property
    def things(self) -> list[str]:
        """Things there are."""
        return first(self.names, "thing")

    @property
    def words(self) -> list[str]:
        return [*super().words, "has", "the", *self.things]

    @property
    def stories(self) -> int:
        orders = math.factorial(2 * self.facts) // math.factorial(self.facts)
        return super().stories * math.perm(self.names, self.facts) * orders

    def draw(self, numbers: random.Random) -> Story:
        told = super().draw(numbers)
        things = numbers.sample(self.things, self.facts)
        people = [sentence[0] for sentence in told.sentences]
        sentences = told.sentences + [[p, "has", "the", thing] for p, thing in zip(people, things)]
        numbers.shuffle(sentences)
        places = {sentence[0]: sentence[-1] for sentence in told.sentences}
        questions = [
            (["where", "is", "the", thing], places[person]) for thing, person in zip(things, people)
        ]
        return self.asking(sentences, questions, numbers)


def fact(person: str, place: str) -> list[str]:
    """The words of one."""
    return [person, "is", "in", place]
