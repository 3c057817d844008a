"""Text as tokens, and tokens as text again: what a token is in each of the prepared folders.

``fairseq-memtx prepare language-model`` cuts a text like these, and a prompt is cut with them. They
have the two methods of fairseq's encoders (``--bpe``): ``encode`` gives the tokens with spaces
between them, ``decode`` is the way back. The end of a line is the token ``</s>``, as in fairseq's
data.
"""

import re
from functools import cache
from typing import Any

NEWLINE = "</s>"
UNKNOWN = "<unk>"
SPACE = "_"
ESCAPED = re.compile(r"\\u[0-9a-f]{4}")


class Words:
    """A token is what stands between white space."""

    def encode(self, text: str) -> str:
        """Tokens of a text, whose lines are kept apart by ``</s>``."""
        return f" {NEWLINE} ".join(map(self.encode_line, lines(text)))

    def decode(self, tokens: str) -> str:
        """Lines with single spaces."""
        rows: list[list[str]] = [[]]
        for token in tokens.split(" "):
            if token == NEWLINE:
                rows.append([])
            else:
                rows[-1].append(token)
        return "\n".join(self.decode_line(" ".join(row)) for row in rows)

    def encode_line(self, line: str) -> str:
        """Tokens of a line."""
        return " ".join(line.split())

    def decode_line(self, tokens: str) -> str:
        """The line again."""
        return tokens


class Lines(Words):
    """Tokens are those of another encoder, which knows no ends of lines.

    Args:
        encoder: for a line.
    """

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder

    def encode_line(self, line: str) -> str:
        """Its tokens of a line."""
        return self.encoder.encode(line)

    def decode_line(self, tokens: str) -> str:
        """Its line of tokens."""
        return self.encoder.decode(tokens)


class Characters:
    r"""A token is a character; a space is ``_``, and ``_``, ``\`` and other white space ``\u005f``.

    Args:
        accept_cut: leave a text as it is that is cut already, as in ``T h e _ e n d``. It is known
            by a ``_`` or a ``</s>`` that stands alone, where everything else stands alone too.
    """

    def __init__(self, accept_cut: bool = False) -> None:
        self.accept_cut = accept_cut

    def encode(self, text: str) -> str:
        """Characters of a text."""
        text = as_typed(text)
        if self.accept_cut and self.is_cut(text):
            return text
        return f" {NEWLINE} ".join(" ".join(map(spell, line)) for line in lines(text))

    def decode(self, tokens: str) -> str:
        """The text again."""
        return "".join(map(unspell, tokens.split(" ")))

    @staticmethod
    def is_cut(text: str) -> bool:
        """Whether a text consists of tokens already."""
        tokens = text.split()
        known = all(len(t) == 1 or t in (NEWLINE, UNKNOWN) or ESCAPED.fullmatch(t) for t in tokens)
        return known and (SPACE in tokens or NEWLINE in tokens)


class Bytes:
    """A token is a byte of UTF-8 as a decimal number.

    Args:
        accept_cut: leave a text as it is that is cut already: numbers, and ``</s>`` among them.
    """

    def __init__(self, accept_cut: bool = False) -> None:
        self.accept_cut = accept_cut

    def encode(self, text: str) -> str:
        """Bytes of a text."""
        text = as_typed(text)
        if self.accept_cut and self.is_cut(text):
            return text
        lines = text.encode("utf-8", "surrogateescape").split(b"\n")
        return f" {NEWLINE} ".join(" ".join(map(str, line)) for line in lines)

    def decode(self, tokens: str) -> str:
        """The text again; bytes that are no whole character are shown as U+FFFD."""
        bytes_ = b"".join(
            bytes([int(token)]) if is_byte(token) else unspell(token).encode("utf-8")
            for token in tokens.split(" ")
        )
        return bytes_.decode("utf-8", "replace")

    @staticmethod
    def is_cut(text: str) -> bool:
        """Whether a text consists of tokens already."""
        tokens = text.split()
        return NEWLINE in tokens and all(is_byte(t) or t in (NEWLINE, UNKNOWN) for t in tokens)


def as_typed(text: str) -> str:
    """A prompt with the spaces at its ends, which `compat.prompts_as_typed` has kept."""
    return getattr(text, "typed", text)


def lines(text: str) -> list[str]:
    """Lines as Unix or Windows end them."""
    return text.replace("\r\n", "\n").split("\n")


@cache
def spell(character: str) -> str:
    """The token for a character, which fairseq does not take for white space."""
    if character == " ":
        return SPACE
    if character in "_\\" or character.isspace():
        return f"\\u{ord(character):04x}"  # there is no white space with a longer number
    return character


def unspell(token: str) -> str:
    """The character of a token."""
    if token == SPACE:
        return " "
    if token == NEWLINE:
        return "\n"
    return chr(int(token[2:], 16)) if ESCAPED.fullmatch(token) else token


def is_byte(token: str) -> bool:
    """Whether a token is a decimal number from 0 to 255."""
    return token.isascii() and token.isdecimal() and str(int(token)) == token and int(token) < 256
