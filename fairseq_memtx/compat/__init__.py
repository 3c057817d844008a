"""Where the plugin mends fairseq from outside, one fault a file.

Every file has ``UPSTREAM``, the thread about its fault, and ``mend``, which knows whether this
fairseq has it and takes it away. Another mend is another file. Features are probed rather than
version numbers compared, because trees of fairseq differ while their version files agree. Nothing
is imported but fairseq, torch and numpy, so that a user's own fairseq works by ``--user-dir``
without installing anything; and nothing of ``data/`` before a mend is made, as that room begins
with the plugin.
"""

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from functools import partial
from types import ModuleType
from typing import Any, Callable, NamedTuple

from ..put_around import put_around

# Of fairseq_cli, which have faults of their own.
COMMANDS = ("eval_lm", "interactive", "train", "validate")


class Mend:
    """What takes a fault of fairseq away.

    Args:
        needed: whether fairseq has the fault, now.
        parts: take it away.
    """

    def __init__(self, needed: Callable[[], bool], *parts: Callable[[], None]) -> None:
        self.needed, self.was_needed, self._parts = needed, False, [*parts]

    def __call__(self) -> None:
        for part in self._parts:
            part()

    def look(self) -> bool:
        """Whether it is needed now; that it ever was is remembered."""
        needed = self.needed()
        self.was_needed |= needed
        return needed

    def also(self, *places: str) -> Callable[[Callable[..., Any]], None]:
        """Put the function below around others of fairseq too."""
        return lambda ours: self._parts.extend(partial(put_around, place, ours) for place in places)


class Fault(NamedTuple):
    """One fault of fairseq."""

    name: str  # of the file that mends it
    what: str  # is wrong, in a line
    needed: bool  # whether the fairseq of this process had it when it was looked at first
    upstream: str  # the thread about it, or where it is


def around(*places: str, told_by: str | Callable[[], bool]) -> Callable[[Callable[..., Any]], Mend]:
    """The function below mends, put around fairseq's.

    Args:
        places: of fairseq's function, as for `put_around`, or of several.
        told_by: names in the first that tell the fault (see `says`), or what tells it.
    """

    def mend(ours: Callable[..., Any]) -> Mend:
        made = Mend(told_by if callable(told_by) else partial(says, places[0], told_by))
        made.also(*places)(ours)
        return made

    return mend


def where(needed: Callable[[], bool]) -> Callable[[Callable[[], None]], Mend]:
    """The function below mends what shows by itself."""
    return partial(Mend, needed)


def mend_fairseq() -> None:
    """Mend what has to be, once.

    A command of fairseq that is not imported has no faults: importing it would set up logging.
    """
    for file in mends():
        if file.mend.look():
            file.mend()


def report() -> list[Fault]:
    """All faults that are known, and which of them this fairseq has; imports its commands."""
    for command in COMMANDS:
        importlib.import_module(f"fairseq_cli.{command}")
    return [
        Fault(
            file.__name__.rpartition(".")[2],
            (file.__doc__ or "").split("\n")[0],
            file.mend.look() or file.mend.was_needed,
            file.UPSTREAM,
        )
        for file in mends()
    ]


def mends() -> Iterator[ModuleType]:
    """Every file of this folder, by name."""
    for file in pkgutil.iter_modules(__path__):
        yield importlib.import_module(f".{file.name}", __name__)


def command(name: str) -> Any:
    """A command of fairseq, or None where it is not imported."""
    return sys.modules.get(f"fairseq_cli.{name}")


def says(place: str, words: str) -> bool:
    """Whether fairseq's own function has these names in it.

    So a fault is known where seeing it would take a GPU, other workers or files. A function that
    was mended has no fault; others may have wrapped it before.
    """
    module = place.partition(":")[0]
    if module.startswith("fairseq_cli.") and module not in sys.modules:
        return False
    function = pkgutil.resolve_name(place)
    while not function.__globals__["__name__"].startswith((__name__, put_around.__module__)):
        code = function.__code__
        if {*words.split()} <= {*code.co_names, *code.co_varnames, *code.co_cellvars}:
            return True
        if not hasattr(function, "__wrapped__"):
            break
        function = function.__wrapped__
    return False
