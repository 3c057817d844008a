"""What fairseq's parsers refuse, in one line that helps."""

import argparse
import functools

from fairseq import options

from ..refusals import explain

OWNER = "this command, --arch, --task and --criterion"


def guard_fairseq() -> None:
    """Let fairseq's parsers end with `refusals.explain`."""
    unguarded = options.parse_args_and_arch

    @functools.wraps(unguarded)
    def parse_args_and_arch(parser, *args, **kwargs):
        parser.error = functools.partial(_end, parser)
        return unguarded(parser, *args, **kwargs)

    options.parse_args_and_arch = parse_args_and_arch


def _end(parser: argparse.ArgumentParser, message: str) -> None:
    """In the place of argparse's own, which prints the whole usage."""
    parser.exit(2, f"fairseq-memtx: error: {explain(parser, message, OWNER)}\n")
