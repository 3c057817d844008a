"""``fairseq-memtx export``: a trained language model for torch and safetensors alone."""

import argparse
from pathlib import Path
from typing import Any

from .parser import add_command


def add_to(commands: Any) -> None:
    """Add the command."""
    add = add_command(
        commands, "export", _export,
        "write a trained rmt_lm so that it runs by torch and safetensors, without fairseq",
        epilog="FOLDER gets model.safetensors and config.json, for fairseq_memtx.memory.load.",
    ).add_argument  # fmt: skip
    add("checkpoint", type=Path, metavar="CHECKPOINT", help="of rmt_lm")
    add("folder", type=Path, metavar="FOLDER", help="to make")
    add(
        "--data", type=Path, metavar="DATA_BIN",
        help="folder with the dict.txt of the training (default: where it was then)",
    )  # fmt: skip


def _export(options: argparse.Namespace) -> None:
    from ..convert import plain_pytorch

    plain_pytorch.export(options)
