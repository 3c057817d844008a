"""Where words begin in a row of pieces, so that ``masked_lm`` can mask whole words.

fairseq asks a table whether a word begins at a piece. That suits a BPE that marks the first piece
of a word (gpt2, sentencepiece, bert), and none that marks all but the last (subword_nmt and
fastbpe: ``he@@ llo``), where only the piece before tells. `WordBeginnings` answers for both.
"""

from typing import Any

import torch
from fairseq.data import Dictionary, encoders
from torch import Tensor

from ..errors import MemtxError
from ..text.symbols import is_filling


class WordBeginnings:
    """What fairseq takes for its table: symbols that open a word, and that close one; both boolean.

    A word begins at a piece that opens a word and after one that closes a word. Special tokens are
    words of their own: they do both. In fairseq's table they only open one, so that a first word
    without a space before it is masked together with ``<s>``, or with the end of the line before.
    """

    def __init__(self, opens: Tensor, closes: Tensor) -> None:
        self.opens, self.closes = opens, closes

    def gather(self, dim: int, tokens: Tensor) -> Tensor:
        """Whether a word begins, for each of ``L`` tokens; named as what fairseq calls."""
        begins = self.opens[tokens]
        begins[1:] |= self.closes[tokens[:-1]]
        return begins


def word_beginnings(settings: Any, dictionary: Dictionary) -> WordBeginnings | None:
    """How to tell words apart; None if there is no BPE, where every token is a word.

    A ``--bpe`` that cannot be built, knows no words, or is not the dictionary's is refused.
    """
    name = getattr(settings, "_name", settings)
    try:
        bpe = encoders.build_bpe(settings)
    except Exception as cause:  # whatever comes: files, packages, settings without a value
        told = f"--mask-whole-words cannot use --bpe {name}, check its flags and files: {cause}"
        raise MemtxError(" ".join(told.split())) from cause
    if bpe is None:
        return None
    symbols = range(len(dictionary))
    special = torch.tensor([_is_special(dictionary, symbol) for symbol in symbols])
    if hasattr(bpe, "is_beginning_of_word"):
        marked = torch.tensor([_is_beginning(bpe, dictionary[symbol]) for symbol in symbols])
        opens, closes = marked | special, special
    elif hasattr(bpe, "bpe_symbol"):  # "@@ "
        marker = bpe.bpe_symbol.strip()
        marked = torch.tensor([not dictionary[symbol].endswith(marker) for symbol in symbols])
        opens, closes = special, marked | special
    else:
        raise MemtxError(
            f"--mask-whole-words cannot tell words apart with --bpe {name}: leave the flag out, or "
            "use gpt2, hf_byte_bpe, bert, sentencepiece, subword_nmt or fastbpe"
        )
    if (marked | special).all():
        raise MemtxError(
            f"--mask-whole-words finds no piece in dict.txt that --bpe {name} would not take for a "
            "whole word: give the BPE that the text was cut with, or leave --bpe out if a token is "
            "a word"
        )
    return WordBeginnings(opens, closes)


def _is_special(dictionary: Dictionary, symbol: int) -> bool:
    word = dictionary[symbol]
    return symbol < dictionary.nspecial or word == "<mask>" or is_filling(word)


def _is_beginning(bpe: Any, symbol: str) -> bool:
    try:
        return bpe.is_beginning_of_word(symbol)
    except (MemtxError, ValueError, TypeError):  # a symbol that is not of this BPE
        return True
