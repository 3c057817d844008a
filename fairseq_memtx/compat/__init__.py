"""Where the plugin mends fairseq from outside, one fault a file.

Every file has ``UPSTREAM``, the thread about its fault, ``needed()``, which tells whether this
fairseq has it, and ``mend()``. Another mend is another file. Features are probed rather than
version numbers compared, because trees of fairseq differ while their version files agree. Nothing
is imported but fairseq, torch and numpy, so that a user's own fairseq works by ``--user-dir``
without installing anything; and nothing of ``data/`` before a mend is made, as that room begins
with the plugin.
"""

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

# Of fairseq_cli, which have faults of their own.
COMMANDS = ("eval_lm", "interactive", "train", "validate")
_found: dict[str, bool] = {}


class Fault(NamedTuple):
    """One fault of fairseq.

    Attributes:
        name: of the file that mends it.
        what: is wrong, in a line.
        needed: whether the fairseq of this process had it when it was looked at first.
        upstream: the thread about it, or where it is.
    """

    name: str
    what: str
    needed: bool
    upstream: str


def mend_fairseq() -> None:
    """Mend what has to be, once.

    A command of fairseq that is not imported has no faults: importing it would set up logging.
    """
    for mend in mends():
        if _look(mend):
            mend.mend()


def report() -> list[Fault]:
    """All faults that are known, and which of them this fairseq has; imports its commands."""
    for command in COMMANDS:
        importlib.import_module(f"fairseq_cli.{command}")
    for mend in mends():
        _look(mend)
    return [
        Fault(_name(mend), (mend.__doc__ or "").split("\n")[0], _found[_name(mend)], mend.UPSTREAM)
        for mend in mends()
    ]


def mends() -> Iterator[ModuleType]:
    """Every file of this folder, by name."""
    for file in pkgutil.iter_modules(__path__):
        yield importlib.import_module(f".{file.name}", __name__)


def command(name: str) -> Any:
    """A command of fairseq, or None where it is not imported."""
    return sys.modules.get(f"fairseq_cli.{name}")


def says(function: FunctionType, *words: str) -> bool:
    """Whether fairseq's own function has these names in it.

    So a fault is known where seeing it would take a GPU, other workers or files. A function that
    was mended has no fault; others may have wrapped it before.
    """
    while not function.__globals__["__name__"].startswith(__name__):
        code = function.__code__
        if {*words} <= {*code.co_names, *code.co_varnames, *code.co_cellvars}:
            return True
        if not hasattr(function, "__wrapped__"):
            break
        function = function.__wrapped__
    return False


def _look(mend: ModuleType) -> bool:
    """Whether a mend is needed now; that it ever was is remembered."""
    needed = mend.needed()
    _found[_name(mend)] = needed or _found.get(_name(mend), False)
    return needed


def _name(mend: ModuleType) -> str:
    return mend.__name__.rpartition(".")[2]
