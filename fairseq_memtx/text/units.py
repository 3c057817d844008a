"""Text as tokens, and tokens as text again: what a token is in each of the prepared folders.

``fairseq-memtx prepare language-model`` cuts a text like these, and a prompt is cut with them. They
have the two methods of fairseq's encoders (``--bpe``): ``encode`` gives the tokens with spaces
between them, ``decode`` is the way back. The end of a line is the token ``</s>``, as in fairseq's
data.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

NEWLINE = "</s>"
UNKNOWN = "<unk>"
SPACE = "_"
BYTES = set(map(str, range(256)))
ESCAPED = re.compile(r"\\u[0-9a-f]{4}")
_NEWLINE = re.compile(rf" ?(?<!\S){NEWLINE}(?!\S) ?")


class Lines:
    """Tokens are those of another encoder, which knows no ends of lines; ``</s>`` is one.

    Args:
        encoder: for a line; without one, a token is what stands between white space.
    """

    def __init__(self, encoder: Any = None) -> None:
        self.encoder = encoder

    def encode(self, text: str) -> str:
        """Tokens of a text."""
        cut = self.encoder.encode if self.encoder else lambda line: " ".join(line.split())
        return f" {NEWLINE} ".join(map(cut, lines(text)))

    def decode(self, tokens: str) -> str:
        """The lines again."""
        join = self.encoder.decode if self.encoder else str
        return "\n".join(map(join, _NEWLINE.split(tokens)))


class _Cut:
    """A text whose white space is tokens too.

    Args:
        accept_cut: leave a text as it is that consists of tokens already, `WHITE` ones among them.
    """

    WHITE = frozenset({NEWLINE})

    def __init__(self, accept_cut: bool = False) -> None:
        self.accept_cut = accept_cut

    def encode(self, text: str) -> str:
        """Tokens of a text."""
        text = getattr(text, "typed", text)  # with spaces at its ends: `compat.prompts_as_typed`
        words = set(text.split())
        known = (word in (NEWLINE, UNKNOWN) or self.is_token(word) for word in words)
        if self.accept_cut and self.WHITE & words and all(known):
            return text
        return f" {NEWLINE} ".join(map(" ".join, self.cut(text)))

    def cut(self, text: str) -> Iterable[Iterable[str]]:
        """The tokens of each line."""
        raise NotImplementedError

    def is_token(self, word: str) -> bool:
        """Whether a word can be one of the tokens."""
        raise NotImplementedError


class Characters(_Cut):
    r"""A token is a character; a space is ``_``, and ``_``, ``\`` and other white space ``\u005f``.

    A text as in ``T h e _ e n d`` is cut already.
    """

    WHITE = frozenset({NEWLINE, SPACE})

    def cut(self, text: str) -> Iterable[Iterable[str]]:
        """The characters of each line."""
        return (map(spell, line) for line in lines(text))

    def is_token(self, word: str) -> bool:
        """Whether it is a character, or spelled as one."""
        return len(word) == 1 or ESCAPED.fullmatch(word) is not None

    def decode(self, tokens: str) -> str:
        """The text again."""
        return "".join(map(unspell, tokens.split(" ")))


class Bytes(_Cut):
    """A token is a byte of UTF-8 as a decimal number."""

    def cut(self, text: str) -> Iterable[Iterable[str]]:
        """The bytes of each line."""
        return (map(str, line) for line in text.encode("utf-8", "surrogateescape").split(b"\n"))

    def is_token(self, word: str) -> bool:
        """Whether it is a number from 0 to 255."""
        return word in BYTES

    def decode(self, tokens: str) -> str:
        """The text again; bytes that are no whole character are shown as U+FFFD."""
        bytes_ = b"".join(
            bytes([int(token)]) if token in BYTES else unspell(token).encode("utf-8")
            for token in tokens.split(" ")
        )
        return bytes_.decode("utf-8", "replace")


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
