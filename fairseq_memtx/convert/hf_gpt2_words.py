"""The words of a Hugging Face GPT-2 as fairseq spells them.

``<|endoftext|>``, which begins and ends GPT-2's texts, is ``</s>``, which does so in fairseq. The
other three symbols that fairseq's dictionary begins with are no words of GPT-2.
"""

from pathlib import Path

from ..errors import MemtxError
from .gpt2_words import Tokenizer, Words, read_tokenizer, words_of

END = "<|endoftext|>"


def read_words(folder: Path, vocab_size: int) -> tuple[Words, Tokenizer]:
    """The words of a model, and its tokenizer.

    Args:
        folder: with the tokenizer.
        vocab_size: rows that the model has.

    Raises:
        MemtxError: if the files are missing, contradict each other, or are of another kind of BPE.
    """
    tokenizer = read_tokenizer(folder, vocab_size)
    if END not in tokenizer.rows:
        raise MemtxError(f"{tokenizer.source} has no {END}: it is not GPT-2's")
    first = [-1, -1, tokenizer.rows[END], -1]  # <s> <pad> </s> <unk>
    return words_of(tokenizer, first, {END}, []), tokenizer
