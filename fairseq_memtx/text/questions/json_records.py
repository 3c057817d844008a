"""JSON of other people: every value knows where it stands, so that errors can say it."""

import json
import re
from pathlib import Path
from typing import Any

from ...errors import MemtxError

KINDS = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a whole number",
    bool: "true or false",
}


_HALF = re.compile(r"[\ud800-\udfff]")  # surrogates, which no encoding can write


class Record:
    """A value of a JSON file, and where it stands: the file and the place in it."""

    def __init__(self, value: Any, where: str) -> None:
        self.value = value
        self.where = where

    @classmethod
    def load(cls, file: Path) -> "Record":
        """All of a file; refused if it is not there or no JSON."""
        try:
            return cls(json.loads(file.read_text(encoding="utf-8-sig")), str(file))
        except OSError as cause:
            raise MemtxError(
                f"{file} cannot be read ({cause.strerror}): put the questions there"
            ) from cause
        except ValueError as cause:
            raise MemtxError(
                f"{file} is not JSON in UTF-8 ({cause}): is it cut off, or another format?"
            ) from cause
        except RecursionError as cause:
            raise MemtxError(
                f"{file} has lists in lists without end: it is damaged, or another format"
            ) from cause

    def __getitem__(self, name: str) -> "Record":
        """A field of an object."""
        fields = self._as(dict)
        if name not in fields:
            raise MemtxError(f"{self.where} has no '{name}': add it")
        return Record(fields[name], f"{self.where}, '{name}'")

    def __contains__(self, name: str) -> bool:
        return name in self._as(dict)

    def names(self) -> list[str]:
        """Of the fields of an object."""
        return list(self._as(dict))

    def items(self, kind: str) -> list["Record"]:
        """The parts of a list, which errors call by this name and their number, from 1."""
        return [
            Record(value, f"{self.where}, {kind} {number}")
            for number, value in enumerate(self._as(list), start=1)
        ]

    def text(self) -> str:
        """A string that says something."""
        text = self._as(str)
        if not text.strip():
            raise MemtxError(f"{self.where} is empty: fill it in, or leave the question out")
        return text

    def string(self) -> str:
        """A string, which may be empty."""
        return self._as(str)

    def number(self) -> int:
        """A whole number."""
        return self._as(int)

    def truth(self) -> bool:
        """True or false."""
        return self._as(bool)

    def _as(self, kind: type) -> Any:
        if type(self.value) is not kind:  # a truth value would pass for a number
            raise MemtxError(
                f"{self.where} has to be {KINDS[kind]}, not {self._shown()}: correct it"
            )
        if isinstance(self.value, str) and _HALF.search(self.value):
            raise MemtxError(
                f"{self.where} has half a character, as \\ud83d without its other half: correct it"
            )
        return self.value

    def _shown(self) -> str:
        try:
            shown = json.dumps(self.value)
        except RecursionError:
            shown = "lists in lists without end"
        return shown if len(shown) < 40 else shown[:40] + "..."
