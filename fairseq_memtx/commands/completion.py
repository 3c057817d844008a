"""``fairseq-memtx --print-completion SHELL``: what lets a shell complete commands and flags."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

SHELLS = ("bash", "zsh", "fish", "tcsh")


class PrintCompletion(argparse.Action):
    """Print the script of a shell, by the package shtab, and end."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: Any = None
    ) -> NoReturn:
        """Print it."""
        import shtab

        for action in _actions(parser):
            if action.type is Path:
                setattr(action, "complete", shtab.FILE)  # noqa: B010  (of shtab, not of argparse)
        print(shtab.complete(parser, values))
        parser.exit()


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The actions of a parser and of all its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
