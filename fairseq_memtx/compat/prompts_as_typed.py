"""What ``fairseq-interactive`` takes away from its input, or takes for something else.

Spaces at either end of a prompt are gone. A lone carriage return ends a line, so that answers no
longer stand beside their questions; a mark at a file's start is a word.
"""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Iterator

from ..errors import MemtxError
from ..text.lines import decode, read_lines
from . import around

UPSTREAM = "no thread found: buffered_read in fairseq_cli/interactive.py"


class Prompt(str):
    """A prompt as fairseq has it, without white space at its ends."""

    typed: str  # with it, but without the end of its line and without a mark at the file's start


@around("fairseq_cli.interactive:buffered_read", told_by="strip")
def mend(unmended: Any, input: str, buffer_size: int) -> Iterator[list[Prompt]]:
    """Let ``fairseq-interactive`` remember what was typed, for encoders to which spaces matter.

    `Prompt` is in place of plain text, and only a newline ends a line.
    """
    buffer = []
    name = "standard input" if input == "-" else input
    try:
        with nullcontext(sys.stdin.buffer) if input == "-" else open(input, "rb") as file:
            for number, line in enumerate(read_lines(file, Path(name)), start=1):
                typed = decode(line, f"{name}, line {number}")
                prompt = Prompt(typed.strip())
                prompt.typed = typed
                buffer.append(prompt)
                if len(buffer) >= buffer_size:
                    yield buffer
                    buffer = []
    except OSError as cause:
        raise MemtxError(f"--input {name} cannot be read: {cause.strerror}") from cause
    if buffer:
        yield buffer
