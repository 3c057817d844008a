"""Spaces at either end of a prompt, which ``fairseq-interactive`` takes away."""

from __future__ import annotations

import fileinput
import sys
from typing import Iterator


class Prompt(str):
    """A prompt as fairseq has it, without white space at its ends.

    Attributes:
        typed: with it, but without the end of its line and without a mark at the file's start.
    """

    typed: str


def keep_prompts_as_typed() -> None:
    """Let ``fairseq-interactive`` remember what was typed, for encoders to which spaces matter."""
    interactive = sys.modules.get("fairseq_cli.interactive")
    if interactive is not None and hasattr(interactive, "buffered_read"):
        interactive.buffered_read = buffered_read


def buffered_read(input: str, buffer_size: int) -> Iterator[list[Prompt]]:
    """fairseq's, with `Prompt` in place of plain text."""
    buffer = []
    with fileinput.input(files=[input], openhook=fileinput.hook_encoded("utf-8")) as lines:
        for number, line in enumerate(lines):
            typed = line.rstrip("\r\n")
            if number == 0:
                typed = typed.lstrip("\ufeff")
            prompt = Prompt(typed.strip())
            prompt.typed = typed
            buffer.append(prompt)
            if len(buffer) >= buffer_size:
                yield buffer
                buffer = []
    if buffer:
        yield buffer
