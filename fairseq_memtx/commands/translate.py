"""``fairseq-memtx translate``: a trained translation model reads lines and writes lines."""

import argparse
from pathlib import Path
from typing import Any

from .parser import add_command, positive
from .write import add_model_flags


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands, "translate", _translate, "translate lines of plain text",
        epilog="Text is cut as that of the data folder was; what is printed has whole words and no "
        "tokenisation. An empty line stays empty.",
    )  # fmt: skip
    add = parser.add_argument
    add("checkpoint", type=Path, metavar="CHECKPOINT",
        help="of a translation: mem_transformer or fairseq's transformer")  # fmt: skip
    add("files", nargs="*", type=Path, metavar="FILE",
        help="with a sentence a line (default: standard input)")  # fmt: skip
    add("--beam", type=positive, default=5, metavar="K", help="beam size (default: 5)")
    add("--lenpen", type=float, default=1.0, metavar="X",
        help="below 1 shorter translations, above 1 longer (default: 1)")  # fmt: skip
    add("--min-len", type=positive, default=1, metavar="N", help="tokens at least (default: 1)")
    add("--max-len-a", type=float, default=0.0, metavar="A",
        help="at most A times the source's tokens, and B more (default: 0)")  # fmt: skip
    add("--max-len-b", type=positive, default=200, metavar="B", help="(default: 200)")
    add("--no-repeat-ngram-size", type=int, default=0, metavar="N",
        help="write no N tokens twice (default: any)")  # fmt: skip
    add("--batch-size", type=positive, default=32, metavar="N",
        help="lines to translate together, but those that are typed (default: 32)")  # fmt: skip
    add_model_flags(parser)


def _translate(options: argparse.Namespace) -> None:
    for file in options.files:
        if not file.is_file():
            options.refuse(f"there is no file {file}")
    from ..generation import translation

    translation.translate(options)
