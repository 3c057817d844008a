r"""Words that are spelled like fairseq's symbols, or end like a piece of a word.

fairseq takes the word ``</s>`` of a text for its own end of a sentence, ``<pad>`` for padding, and
``@@`` at a word's end for the mark of subword-nmt. So such a word gets a backslash behind it:
``<pad>\``. One that has backslashes there already gets one more, so there is one way back. As it is
the end of the word that counts, the last piece of no word is such a symbol, however it is cut.
"""

import re

_LIKE_A_SYMBOL = r"(?:<s>|</s>|<pad>|<unk>|<mask>|madeupword\d{4,}|@@)"
_FILLING = re.compile(r"madeupword\d{4,}")
_TO_ESCAPE = re.compile(_LIKE_A_SYMBOL + r"\\*$")
_ESCAPED = re.compile(_LIKE_A_SYMBOL + r"\\+$")


def is_filling(symbol: str) -> bool:
    """Whether it fills a dictionary up to a round size."""
    return _FILLING.fullmatch(symbol) is not None


def escape(word: str) -> str:
    """A word that no symbol can be taken for."""
    return word + "\\" if _TO_ESCAPE.search(word) else word


def unescape(text: str) -> str:
    """Words as they were before `escape`, with spaces between them."""
    return " ".join(word[:-1] if _ESCAPED.search(word) else word for word in text.split(" "))
