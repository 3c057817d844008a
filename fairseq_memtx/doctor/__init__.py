"""What works on this machine, and what to do about the rest.

Nothing is imported before it is looked at: what is missing or broken is what is looked for.
"""

from typing import NamedTuple


class Finding(NamedTuple):
    """One thing that was looked at."""

    state: str  # "ok"; "note", where something is not there that not everybody needs; or "fault"
    what: str  # was found
    advice: str = ""  # what to do, if anything

    def __str__(self) -> str:
        return f"{self.state:5}  {self.what}" + (f": {self.advice}" if self.advice else "")
