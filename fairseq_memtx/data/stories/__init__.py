"""What is told and asked, without the noise around it."""

from .one_fact import OneOfSeveral
from .story import Story, Teller

__all__ = ["Story", "Teller", "make_teller"]


def make_teller(questions: str, facts: int, names: int, places: int, babi: str | None) -> Teller:
    """The teller of the flags."""
    return OneOfSeveral(facts, names, places)
