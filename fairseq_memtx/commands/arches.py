"""``fairseq-memtx arches``: the architectures, their sizes and numbers of parameters."""

import argparse
from typing import Any

from .parser import add_command, positive


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands, "arches", _list, "list the architectures, their sizes and parameters",
        epilog="d is the width of a layer, ffn that of its feed-forward sub-layer, memory the "
        "number of memory tokens, cache that of rows of a Transformer-XL.",
    )  # fmt: skip
    parser.add_argument(
        "--symbols", type=positive, default=32000, metavar="N",
        help="of the dictionary, which parameters are counted with (default: 32000)",
    )  # fmt: skip


def _list(options: argparse.Namespace) -> None:
    from ..flags.architectures import Architecture, architectures

    rows: list[tuple[str, ...]] = [("architecture", *Architecture._fields[1:])]
    for row in architectures(options.symbols):
        rows.append((*map(str, row[:-1]), f"{row.parameters:,}"))
    widths = [max(map(len, column)) for column in zip(*rows)]
    for name, *sizes in rows:
        cells = [size.rjust(width) for size, width in zip(sizes, widths[1:])]
        print("  ".join([name.ljust(widths[0]), *cells]))
