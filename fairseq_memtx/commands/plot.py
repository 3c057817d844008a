"""``fairseq-memtx plot``: pictures of memory, of training and of growing length."""

import argparse
from pathlib import Path
from typing import Any

from .parser import add_command, commands_of

FORMATS = ".png, .pdf or .svg"


def add_to(commands: Any) -> None:
    """Add the command."""
    kinds = commands_of(
        add_command(commands, "plot", None, "draw memory, a training or a curve"), "KIND"
    )
    _memory(kinds)
    _training(kinds)
    _length_curve(kinds)
    summary = "show one bar for a whole training, from the log that is piped in"
    add_command(kinds, "progress", _plot_progress, summary)


def _memory(kinds: Any) -> None:
    parser = add_command(
        kinds, "memory", _plot_memory,
        "draw what an encoder's memory reads, and who reads it, for one sentence",
    )  # fmt: skip
    add = parser.add_argument
    add("--checkpoint", required=True, metavar="CKPT", help="of mem_transformer")
    add("--data", required=True, metavar="DATA_BIN", help="folder that fairseq-preprocess wrote")
    add("--output", required=True, type=Path, metavar="FILE.png", help=f"the picture: {FORMATS}")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--sentence-index", type=int, default=0, metavar="I",
        help="of the test set, or of the validation set where there is none, from 0 on (default: "
        "0)",
    )  # fmt: skip
    source.add_argument("--text", help="a source sentence in its place, tokenised, with its BPE")
    add("--layer", default="last", help="last, all or a number from 0 on")


def _training(kinds: Any) -> None:
    add = add_command(
        kinds, "training", _plot_training,
        "draw how trainings went, from the logs that fairseq-train prints",
        epilog="Logs of one NAME, such as runs with different seeds, have one colour. "
        "--log-format simple and json are read, also while a run goes on.",
    ).add_argument  # fmt: skip
    add("output", type=Path, metavar="OUTPUT", help=f"the picture: {FORMATS}")
    add("logs", nargs="+", metavar="NAME=LOG", help="name in the legend, and a file")
    add("--metric", required=True, action="append", help="such as loss; again: a panel more")
    add("--split", default="valid", help="valid (default), train_inner or another validation set")
    add("--title", help="over the picture")
    add("--chance", type=float, metavar="Y", help="draw a line at what guessing would reach")


def _length_curve(kinds: Any) -> None:
    add = add_command(
        kinds, "length-curve", _plot_length_curve,
        "draw accuracy, time and memory over the length of a text",
        epilog="Each FILE is what fairseq-validate --length-curve wrote to --length-curve-file; "
        "its name is in the legend.",
    ).add_argument  # fmt: skip
    add("files", nargs="+", type=Path, metavar="FILE", help="measurements of one model each")
    add("output", type=Path, metavar="OUTPUT", help=f"the picture: {FORMATS}")


def _plot_memory(options: argparse.Namespace) -> None:
    from ..pictures import memory

    memory.plot(options)


def _plot_training(options: argparse.Namespace) -> None:
    from ..pictures import training

    training.plot(options)


def _plot_length_curve(options: argparse.Namespace) -> None:
    from ..pictures import length_curve

    length_curve.plot(options)


def _plot_progress(_options: argparse.Namespace) -> None:
    from ..pictures import training_bar

    training_bar.show()
