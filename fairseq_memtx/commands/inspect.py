"""``fairseq-memtx inspect``: what memory does in a trained model."""

import argparse
from pathlib import Path
from typing import Any

from .parser import add_command, positive


def add_to(commands: Any) -> None:
    """Add the command."""
    add = add_command(
        commands, "inspect", _inspect, "measure and draw what memory does in a trained model",
        epilog="DIR gets a .json, .png and .svg of every part, and index.html with all of them.",
    ).add_argument  # fmt: skip
    add("checkpoint", type=Path, metavar="CHECKPOINT", help="of any of the families")
    add("data", nargs="?", metavar="DATA", type=Path,
        help="folder of the data (default: where it was in training)")  # fmt: skip
    add("--output", type=Path, required=True, metavar="DIR", help="to write into")
    add("--text", nargs="+", default=[], metavar="TEXT",
        help="a text to look at, in place of an example of the set; of two or more, memory is "
        "exchanged between them")  # fmt: skip
    add("--subset", metavar="NAME", help="set that is read (default: test, or valid if there is "
        "none)")  # fmt: skip
    add("--examples", type=positive, metavar="N",
        help="read so many examples of the set (default: all)")  # fmt: skip
    add("--example", type=int, default=0, metavar="I",
        help="whose attention is shown, from 0 on (default: 0)")  # fmt: skip
    add("--layers", default="all", metavar="0,1", help="to show, from 0 on (default: all)")
    add("--heads", default="all", metavar="0,1", help="to show, from 0 on (default: all)")
    add("--parts", metavar="NAME,NAME", help="to make (default: all that fit the model)")
    add("--beam", type=positive, default=1, metavar="N",
        help="translations kept at each step, for BLEU (default: 1)")  # fmt: skip
    add("--batch-size", type=positive, default=16, metavar="N",
        help="examples, or streams of a text, that are read at a time (default: 16)")  # fmt: skip


def _inspect(options: argparse.Namespace) -> None:
    from ..inspection import report

    report.inspect(options)
