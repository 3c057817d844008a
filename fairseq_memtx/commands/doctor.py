"""``fairseq-memtx doctor``: what works here, and what to do."""

import argparse
import sys
from typing import Any

from .parser import add_command


def add_to(commands: Any) -> None:
    """Add the command."""
    add_command(
        commands, "doctor", _examine, "tell versions, what works here, and what to do",
        epilog="A 'note' is something that not everybody needs. The exit code is 1 where there is "
        "a 'fault'.",
    )  # fmt: skip


def _examine(_options: argparse.Namespace) -> None:
    from ..doctor.examination import examine

    states = set()
    for finding in examine():
        print(finding, flush=True)
        states.add(finding.state)
    sys.exit("fault" in states)
