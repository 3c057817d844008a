"""What all pictures share: their formats, names on them, and how they are written."""

from collections.abc import Iterable
from pathlib import Path

from matplotlib.figure import Figure  # which draws with Agg and opens no window

from ..errors import MemtxError
from ..written_aside import written_aside

FORMATS = (".png", ".pdf", ".svg")


def check_format(path: Path, flag: str) -> None:
    """Refuse a file that no picture can be written to, naming the flag that gave it."""
    if path.suffix not in FORMATS:
        raise MemtxError(f"{flag} {path} must end in {', '.join(FORMATS)}")


def labels(names: Iterable[str]) -> list[str]:
    """Names as matplotlib shows them; two dollars would start a formula."""
    return [name.replace("$", r"\$") for name in names]


def save(figure: Figure, path: Path, dots_per_inch: int) -> None:
    """Write a picture in the format that its name says."""
    with written_aside(path) as (partial,):
        figure.savefig(partial, format=path.suffix[1:], dpi=dots_per_inch)
