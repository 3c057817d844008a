"""``fairseq-memtx write``: a trained language model goes on with a text."""

import argparse
import sys
from pathlib import Path
from typing import Any

from .parser import above_zero, add_command, positive, share

UNITS = ("words", "pieces", "gpt2", "characters", "bytes")


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands, "write", _write, "go on with a text, token by token",
        epilog="Text is cut as that of the data folder was, or as --bpe of the training says. "
        "Memory goes from segment to segment, through a text of any length.",
    )  # fmt: skip
    add = parser.add_argument
    add("checkpoint", type=Path, metavar="CHECKPOINT",
        help="of a language model: rmt_lm, armt_lm or fairseq's transformer_lm")  # fmt: skip
    add("text", nargs="?", default="", metavar="TEXT",
        help="plain text to go on with; - reads it from standard input")  # fmt: skip
    add("--length", type=positive, default=200, metavar="N",
        help="tokens to write (default: 200)")  # fmt: skip
    add("--one-line", action="store_true", help="end with the line")
    add("--greedy", action="store_true", help="the likeliest token each time, none is drawn")
    add("--temperature", type=above_zero, metavar="T",
        help="above 1 more at random, below 1 less (default: 1)")  # fmt: skip
    add("--top-k", type=positive, metavar="K", help="draw among the K likeliest tokens")
    add("--top-p", type=share, metavar="P",
        help="draw among the likeliest tokens that together have the probability P")  # fmt: skip
    add("--seed", type=int, metavar="N",
        help="the same text each time (default: another)")  # fmt: skip
    add("--unit", choices=UNITS,
        help="what a token is, where the data folder does not tell (no prepared.json)")  # fmt: skip
    add_model_flags(parser)


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """Flags about where a model and its data are."""
    parser.add_argument(
        "--data", type=Path, metavar="DATA_BIN",
        help="folder with the dictionary of the training (default: where it was then, or beside "
        "the checkpoint)",
    )  # fmt: skip
    parser.add_argument("--cpu", action="store_true", help="leave a GPU alone")


def _write(options: argparse.Namespace) -> None:
    drawn = [name for name in ("temperature", "top_k", "top_p") if getattr(options, name)]
    if options.greedy and drawn:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in drawn)
        options.refuse(f"--greedy draws nothing, so that {flags} would change nothing")
    if options.text == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
        options.text = text.removesuffix("\n")
    if any("\ud800" <= character <= "\udfff" for character in options.text):
        options.refuse("TEXT is not UTF-8")
    options.temperature = 0 if options.greedy else options.temperature or 1.0
    from ..generation import continuation

    continuation.write(options)
