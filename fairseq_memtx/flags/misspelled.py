"""What fairseq's parsers refuse, in one line that helps."""

import argparse
from functools import partial
from typing import Any

from ..put_around import put_around
from ..refusals import explain

OWNER = "this command, --arch, --task and --criterion"


def guard_fairseq() -> None:
    """Let fairseq's parsers end with `refusals.explain`."""
    put_around("fairseq.options:parse_args_and_arch", _parse)


def _parse(parse: Any, parser: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> Any:
    vars(parser)["error"] = partial(_end, parser)
    return parse(parser, *args, **kwargs)


def _end(parser: argparse.ArgumentParser, message: str) -> None:
    """In the place of argparse's own, which prints the whole usage."""
    parser.exit(2, f"fairseq-memtx: error: {explain(parser, message, OWNER)}\n")
