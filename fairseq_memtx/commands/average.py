"""``fairseq-memtx average``: the weights of several checkpoints become one."""

import argparse
from pathlib import Path
from typing import Any

from .parser import add_command


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands, "average", _average, "average the weights of several checkpoints",
        epilog="The result has no optimiser state: it is for generation, or for "
        "--finetune-from-model.",
    )  # fmt: skip
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--inputs", nargs="+", type=Path, metavar="FILE", help="what to average")
    which.add_argument(
        "--last", nargs=2, metavar=("N", "FOLDER"), help="the N newest epochs: checkpoint<epoch>.pt"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="to write")


def _average(options: argparse.Namespace) -> None:
    from ..checkpoints import averaging

    averaging.average_files(options)
