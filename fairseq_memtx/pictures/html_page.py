"""One HTML page that needs nothing beside it: text, tables and pictures, whatever they are about.

It opens without a network, on a phone and in the dark, and can be read aloud: every picture has
words in its place, every table names its columns and rows. What is put into it is shown as it is
written; none of it is taken for HTML.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import ClassVar, Self

from jinja2 import Environment, StrictUndefined
from matplotlib import rc_context
from matplotlib.figure import Figure

from ..written_aside import written_aside

TEMPLATE = Path(__file__).with_suffix(".html")
# By the ends of their names: what browsers show, the sharpest first.
PICTURES = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
}


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    words: str
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Verbatim:
    """Lines as they are, such as output of a program."""

    lines: str
    kind: ClassVar[str] = "verbatim"


@dataclass(frozen=True)
class Picture:
    """A picture, held whole."""

    address: str  # data:image/...
    alt: str  # what it shows, for those who do not see it
    caption: str = ""
    kind: ClassVar[str] = "picture"

    @classmethod
    def of_file(cls, path: Path, alt: str, caption: str = "") -> Self:
        """What a file shows, whose name ends in one of `PICTURES`."""
        return cls(_address(path.read_bytes(), PICTURES[path.suffix.lower()]), alt, caption)

    @classmethod
    def of_figure(cls, figure: Figure, alt: str, caption: str = "") -> Self:
        """What matplotlib draws, sharp at any size."""
        drawn = BytesIO()
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": "page"}):
            figure.savefig(drawn, format="svg", metadata={"Date": None})
        return cls(_address(drawn.getvalue(), PICTURES[".svg"]), alt, caption)


@dataclass(frozen=True)
class Table:
    """Rows below the names of their columns; the first cell of a row names it."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    folded: bool = False  # until it is asked for
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, sections among it."""

    heading: str
    parts: "Sequence[Part]"
    kind: ClassVar[str] = "section"


Part = Text | Verbatim | Picture | Table | Section


def write(path: Path, title: str, summary: str, sections: Sequence[Section]) -> None:
    """Write a page; the outermost sections are its contents."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    page = template.render(title=title, summary=summary, sections=sections)
    with written_aside(path) as (partial,):
        partial.write_text(page, encoding="utf-8")


def _address(content: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
