"""Several people are somewhere, and one of them is asked for."""

import random
from dataclasses import dataclass

from ...errors import MemtxError
from .story import Story, Teller

NAMES = (
    "Ada Cleo Dora Edna Finn Gwen Ines Jonas Klara Mira Nils Olga Sven Tilda Wanda Xenia Yusuf Zoe "
    "Emil Fritz Greta Heidi Kira Ludo Milo Petra Ruben Uwe Willem Yara"
)
PLACES = (
    "cellar attic pantry veranda scullery greenhouse bakery laundry sauna barn loft foyer patio "
    "nursery porch balcony"
)


@dataclass(frozen=True)
class OneOfSeveral(Teller):
    """Facts such as ``Ada is in cellar .`` about different people, of whom one is asked for."""

    facts: int
    names: int
    places: int

    def __post_init__(self) -> None:
        if not 1 <= self.facts <= self.names <= len(NAMES.split()):
            raise MemtxError(
                f"--facts {self.facts} of --names {self.names} are impossible: each is about a "
                f"name of its own, of which there are {len(NAMES.split())}"
            )
        if not 2 <= self.places <= len(PLACES.split()):
            raise MemtxError(
                f"--places {self.places} is impossible: use 2 to {len(PLACES.split())}"
            )

    @property
    def words(self) -> list[str]:
        return [
            *NAMES.split()[: self.names],
            *PLACES.split()[: self.places],
            "is",
            "in",
            ".",
            "where",
            "?",
        ]

    @property
    def answers(self) -> list[str]:
        return PLACES.split()[: self.places]

    @property
    def chance(self) -> float:
        return 1 / self.places

    def tell(self, numbers: random.Random, split: str) -> Story:
        names = numbers.sample(NAMES.split()[: self.names], self.facts)
        places = numbers.choices(self.answers, k=self.facts)
        asked = numbers.randrange(self.facts)
        return Story(
            [[name, "is", "in", place, "."] for name, place in zip(names, places)],
            ["where", "is", names[asked], "?"],
            places[asked],
        )
