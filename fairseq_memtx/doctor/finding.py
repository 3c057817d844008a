"""What was found, and how it is told."""

from typing import NamedTuple


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        state: "ok"; "note", where something is not there that not everybody needs; or "fault".
        what: was found.
        advice: what to do; "" where there is nothing to do.
    """

    state: str
    what: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.state:5}  {self.what}" + (f": {self.advice}" if self.advice else "")
