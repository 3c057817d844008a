"""``fairseq-memtx flags``: what ``fairseq-train --help`` does not show."""

import argparse
from pathlib import Path
from typing import Any

from .parser import add_command

PRESETS = Path(__file__).resolve().parents[1] / "config/model"


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands, "flags", _list,
        "list every flag of an architecture, its task and criterion, with its default",
    )  # fmt: skip
    add = parser.add_argument
    names = sorted(path.stem for path in PRESETS.glob("*.yaml"))
    add("arch", metavar="ARCH", choices=names, help="one that fairseq-memtx arches lists")
    add("--task", metavar="NAME", help="in place of the first that goes with ARCH")
    add("--criterion", metavar="NAME", help="in place of the first that goes with both")


def _list(options: argparse.Namespace) -> None:
    from ..flags.listing import listing

    print(listing(options.arch, options.task, options.criterion), end="")
