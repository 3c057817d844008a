"""The command line ``fairseq-memtx``, also ``python -m fairseq_memtx``, and how it ends.

Whatever a user can put right is told in one line, ``fairseq-memtx: error: ...``: the exit code is 2
for a command line that cannot be read, 1 for all else, and 128 with its number for a signal.
"""

import argparse
import logging
import os
import signal
import sys
import warnings
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import NoReturn

from .. import __version__
from . import (
    arches,
    average,
    convert,
    doctor,
    export,
    flags,
    inspect,
    plot,
    prepare,
    report,
    score_answers,
    translate,
    write,
)
from .completion import SHELLS, PrintCompletion
from .parser import PROGRAM, Parser, commands_of

COMMANDS = (
    prepare, write, translate, average, convert, export, inspect, plot, report, score_answers,
    arches, flags, doctor,
)  # fmt: skip
FOLDER = Path(__file__).resolve().parents[1]
DISTRIBUTIONS = ("ve-fairseq", "fairseq", "torch", "numpy")
# What to install for modules that have another name.
PACKAGES = {"babel": "Babel", "fairseq": "ve-fairseq", "subword_nmt": "subword-nmt"}


def main(line: list[str] | None = None) -> int:
    """Run a command; the exit code."""
    before = signal.signal(signal.SIGTERM, _stop)
    logging.disable(logging.INFO)  # fairseq turns on what every library has to say
    try:
        # hydra warns of fairseq, page after page; who wants to read it says so to Python.
        with warnings.catch_warnings(action=None if sys.warnoptions else "ignore"):
            run(line)
    except (Exception, KeyboardInterrupt) as error:
        return _end(error)
    finally:
        logging.disable(logging.NOTSET)
        signal.signal(signal.SIGTERM, before)
    return 0


def run(line: list[str] | None = None) -> None:
    """Run a command; errors are raised."""
    options = parser().parse_args(line)
    options.work(options)


def parser() -> argparse.ArgumentParser:
    """Of all commands."""
    parser = Parser(prog=PROGRAM, description="Memory-augmented transformers for fairseq.")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument(
        "--print-completion", action=PrintCompletion, choices=SHELLS,
        help="print a script by which a shell completes commands and flags",
    )  # fmt: skip
    parser.set_defaults(work=about)
    commands = commands_of(parser)
    commands.required = False
    for command in COMMANDS:
        command.add_to(commands)
    return parser


def about(_options: argparse.Namespace) -> None:
    """Print what a user needs for a first command: the folder for ``--user-dir``, and names."""
    print(FOLDER)
    versions = {"fairseq_memtx": __version__, "python": sys.version.split()[0]}
    for name in DISTRIBUTIONS:
        with suppress(metadata.PackageNotFoundError):
            versions[name.removeprefix("ve-")] = metadata.version(name)
    print("versions:", ", ".join(f"{name} {version}" for name, version in versions.items()))
    print("architectures:")
    for path in sorted((FOLDER / "config/model").glob("*.yaml")):
        print(f"  {path.stem}")
    print(f"{PROGRAM} --help lists the commands")


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    """As Ctrl-C does, so that what was started is ended too."""
    raise KeyboardInterrupt(number)


def _end(error: BaseException) -> int:
    """Tell an error in one line; the exit code."""
    if isinstance(error, KeyboardInterrupt):
        print(f"{PROGRAM}: error: stopped; the next start begins anew", file=sys.stderr)
        return 128 + (error.args[0] if error.args else signal.SIGINT)
    if isinstance(error, BrokenPipeError):  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    from ..errors import explain

    told = explain(error)
    if told is None and isinstance(error, ModuleNotFoundError):
        missing = (error.name or "").partition(".")[0]
        if missing != __name__.partition(".")[0]:
            told = f"{missing} is missing: pip install {PACKAGES.get(missing, missing)}"
    if told is None and isinstance(error, OSError):  # a full disk, a folder one may not write to
        told = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    if told is None:
        raise error
    print(f"{PROGRAM}: error: {told}", file=sys.stderr)
    return 1
