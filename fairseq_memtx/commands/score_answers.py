"""``fairseq-memtx score-answers``: exact match and F1 of answers to SQuAD or HotpotQA."""

import argparse
from pathlib import Path
from typing import Any

from .parser import add_command


def add_to(commands: Any) -> None:
    """Add the command."""
    add = add_command(
        commands, "score-answers", _score, "count exact match and F1 of answers to questions",
        epilog="Scores are counted as the official scripts do, by the format of QUESTIONS. To a "
        "question that ANSWERS leaves out the answer is nothing.",
    ).add_argument  # fmt: skip
    add("questions", type=Path, metavar="QUESTIONS", help="a file of SQuAD or HotpotQA")
    add("answers", type=Path, metavar="ANSWERS",
        help="what --n-best-file wrote, or predictions as the official scripts take")  # fmt: skip
    add("--predictions", type=Path, metavar="FILE",
        help="write the answers as the official script takes them")  # fmt: skip


def _score(options: argparse.Namespace) -> None:
    from ..text.questions import scoring

    scoring.score(options)
