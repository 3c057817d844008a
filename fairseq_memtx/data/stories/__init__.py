"""What is told and asked, without the noise around it."""

from pathlib import Path

from ...errors import MemtxError
from .babi import Babi
from .drawn_teller import DrawnTeller
from .moving_people import WhereBefore, WherePerson, WhereThing
from .story import Asked, Story, Teller
from .told_facts import NewestFact, OneFact, TwoHops

__all__ = ["QUESTIONS", "Asked", "Babi", "Story", "Teller", "make_teller"]

QUESTIONS: dict[str, type[DrawnTeller]] = {
    "one": OneFact,
    "newest": NewestFact,
    "two-hops": TwoHops,
    "qa1": WherePerson,
    "qa2": WhereThing,
    "qa3": WhereBefore,
}


def make_teller(
    questions: str,
    facts: int,
    names: int,
    places: int,
    babi: str | None = None,
    babi_task: str = "qa1",
    asked: int = 1,
) -> Teller:
    """The teller of the flags: of bAbI's files, if a folder with them is given, or one without.

    Raises:
        MemtxError: if there are no such files or questions, or a size is impossible.
    """
    if babi is not None:
        return Babi(Path(babi), babi_task)
    if questions not in QUESTIONS:
        raise MemtxError(
            f"--questions {questions} is not known: choose one of {', '.join(QUESTIONS)}"
        )
    return QUESTIONS[questions](facts, names, places, asked)
