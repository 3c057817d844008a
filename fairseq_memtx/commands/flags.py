"""``fairseq-memtx flags``: what ``fairseq-train --help`` does not show."""

from __future__ import annotations

import argparse
from typing import Any

from .parser import add_command


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands, "flags", _list,
        "list every flag of an architecture, its task and criterion, with its default",
    )  # fmt: skip
    add = parser.add_argument
    add("arch", metavar="ARCH", help="such as rmt_lm_enwik8; fairseq-memtx arches lists them")
    add("--task", metavar="NAME", help="in place of the first that goes with ARCH")
    add("--criterion", metavar="NAME", help="in place of the first that goes with both")


def _list(options: argparse.Namespace) -> None:
    from ..flags.listing import listing

    print(listing(options.arch, options.task, options.criterion), end="")
