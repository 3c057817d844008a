"""Command lines whose refusals are one line, and kinds of numbers on them."""

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from ..refusals import explain

PROGRAM = "fairseq-memtx"
Work = Callable[[argparse.Namespace], object]


class Parser(argparse.ArgumentParser):
    """argparse's, without a page of flags around an error; its exit code is 2."""

    def error(self, message: str) -> NoReturn:
        """End in one line."""
        told = explain(self, message).removesuffix("?")
        self.exit(2, f"{PROGRAM}: error: {told}: see {self.prog} --help\n")


def commands_of(parser: argparse.ArgumentParser, what: str = "COMMAND") -> Any:
    """Where a parser's commands are added, one of which has to be given."""
    return parser.add_subparsers(title="commands", metavar=what, required=True)


def add_command(
    commands: Any, name: str, work: Work | None, summary: str, **more: Any
) -> argparse.ArgumentParser:
    """A command's parser, with a summary in the help of all `commands_of` its parser.

    ``work`` gets what is parsed; None if the command has commands of its own.
    """
    description = f"{summary[0].upper()}{summary[1:]}."
    parser = commands.add_parser(name, help=summary, description=description, **more)
    if work is not None:
        parser.set_defaults(work=work, refuse=parser.error)
    return parser


def positive(text: str) -> int:
    """A whole number above zero."""
    if not 1 <= int(text) < 1 << 31:
        raise ValueError
    return int(text)


def ratio(text: str) -> float:
    """A number from one on."""
    if not 1 <= float(text) < float("inf"):
        raise ValueError
    return float(text)


def above_zero(text: str) -> float:
    """A number above zero."""
    if not 0 < float(text) < float("inf"):
        raise ValueError
    return float(text)


def share(text: str) -> float:
    """A number above zero, up to one."""
    if not 0 < float(text) <= 1:
        raise ValueError
    return float(text)


def numbers(text: str) -> list[int]:
    """``20000,40000`` as numbers."""
    return [int(number) for number in text.strip("[]()").split(",") if number]
