"""``fairseq-memtx report``: a page about a training."""

import argparse
from pathlib import Path
from typing import Any

from .parser import add_command


def add_to(commands: Any) -> None:
    """Add the command."""
    add = add_command(
        commands, "report", _report,
        "make one HTML page of a run: curves, settings, versions, pictures and samples",
        epilog="Pictures, measurements (*.jsonl) and texts (*.txt) are those in SAVE_DIR; curves "
        "are from its log, else from TensorBoard's files, else from the checkpoints.",
    ).add_argument  # fmt: skip
    add("folder", type=Path, metavar="SAVE_DIR", help="of fairseq-train, or a folder of several")
    add("--output", type=Path, metavar="FILE", help="the page (default: SAVE_DIR/report.html)")
    add(
        "--log", type=Path, action="append", default=[], metavar="FILE",
        help="what fairseq-train printed (default: --log-file of the training, and logs in "
        "SAVE_DIR or of its name)",
    )  # fmt: skip
    add("--title", help="over the page")


def _report(options: argparse.Namespace) -> None:
    from ..reports import page

    page.make(options)
