"""Errors that a user can act upon, told in one line.

Neither torch nor fairseq is imported: the console commands tell their errors so too, and start at
once.
"""

import builtins
import re
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from . import fairseq_errors

LONGEST = 1000  # characters of a line
_REPLACEMENT = "Cannot load model parameters from checkpoint"  # trainer.py, load_checkpoint


class MemtxError(Exception):
    """Something the user can put right. The message says what was wrong, where, and what to do."""


# The checkpoints that this process began with, as the user named them; see `begin_with`.
_begun_with: str | None = None


def begin_with(checkpoints: str | None) -> None:
    """Remember which checkpoints were loaded, for what comes up only when they are used."""
    global _begun_with
    _begun_with = checkpoints


def explain(error: BaseException | None) -> str | None:
    """One line for an error that the user can put right, or None for any other.

    Looks through the chain of causes. An error that came up while another was handled is an error
    of its own, and its traceback is wanted; but fairseq's trainer, where it replaces what a model
    said of its checkpoint by an exception of its own, gives no cause.
    """
    while error is not None:
        if type(error).__name__ == "ProcessRaisedException":  # of torch.multiprocessing
            error = _raised_by_worker(error)
        line = str(error) if isinstance(error, MemtxError) else fairseq_errors.line_for(error)
        if line is not None:
            return _readable(_named(line))
        if _begun_with is not None and type(error).__module__ == "omegaconf.errors":
            wrong = str(error).splitlines()[0]
            return _readable(f"checkpoint {_begun_with} has settings that do not do: {wrong}")
        replaced = _REPLACEMENT in str(error) and not error.__suppress_context__
        error = error.__cause__ or (error.__context__ if replaced else None)
    return None


def trains() -> bool:
    """Whether the command that was typed is a training, whose flags may be advised."""
    return Path(sys.argv[0]).stem.endswith("train")


def install_hook() -> None:
    """Let uncaught errors that `explain` knows end a command in one line; Python exits with 1.

    hydra, through which ``fairseq-hydra-train`` runs, catches them itself, and prints those of one
    class of its own in one line; it is told to take ours for such.
    """
    global _previous_hook
    if sys.excepthook is _print_one_line:
        return
    _previous_hook, sys.excepthook = sys.excepthook, _print_one_line
    hydra: Any = sys.modules.get("hydra._internal.utils")
    if hydra is not None:
        hydra.CompactHydraException = (hydra.CompactHydraException, MemtxError)


def _print_one_line(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    line = explain(error)
    if line is None:
        _previous_hook(kind, error, trace)
    else:
        print(f"fairseq-memtx: error: {line}", file=sys.stderr)


_previous_hook = sys.excepthook


def _named(line: str) -> str:
    """The line with the name of "the checkpoint" where it has none."""
    if _begun_with is None or _begun_with in line:
        return line
    return line.replace("the checkpoint ", f"the checkpoint {_begun_with} ", 1)


def _raised_by_worker(error: BaseException) -> BaseException:
    """What a worker raised that fairseq started, one for each GPU: torch gives its text alone."""
    (_, name, message) = re.findall(r"^((?:\w+\.)*)(\w+): (.*)$", str(error), re.MULTILINE)[-1]
    kind: Any = MemtxError if name == MemtxError.__name__ else getattr(builtins, name, None)
    known = isinstance(kind, type) and issubclass(kind, Exception)
    raised: Any = kind(message) if known else RuntimeError(message)
    raised.workers_traceback = str(error)
    return raised


def _readable(line: str) -> str:
    """The line with ``9`` for numpy's ``np.int64(9)``, as lists of its numbers are printed.

    A file may hold values of any length: what says where and what to do is at both ends.
    """
    line = re.sub(r"\bnp\.\w+\(([^()]*)\)", r"\1", line)
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]}...{line[-LONGEST // 2 :]}"
