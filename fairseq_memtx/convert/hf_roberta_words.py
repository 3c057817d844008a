"""The words of a Hugging Face RoBERTa as fairseq spells them."""

from pathlib import Path

from ..errors import MemtxError
from .gpt2_words import Words, read_tokenizer, words_of

FIRST = ["<s>", "<pad>", "</s>", "<unk>"]  # what fairseq's dictionary begins with by itself
LAST = "<mask>"  # which the task ``masked_lm`` adds by itself


def read_words(folder: Path, vocab_size: int, pad: int) -> Words:
    """The words of a model.

    Args:
        folder: with the tokenizer.
        vocab_size: rows that the model has.
        pad: the row for padding.

    Raises:
        MemtxError: if the files are missing, contradict each other, or are of another kind of BPE.
    """
    tokenizer = read_tokenizer(folder, vocab_size)
    rows, source = tokenizer.rows, tokenizer.source
    for word in [*FIRST, LAST]:
        if word not in rows:
            raise MemtxError(
                f"{source} has no {word}: it is not RoBERTa's, and cannot be converted"
            )
    if rows["<pad>"] != pad:
        raise MemtxError(
            f"{source} has <pad> in row {rows['<pad>']}, and config.json a pad_token_id of {pad}: "
            "correct the one that is wrong"
        )
    return words_of(tokenizer, [rows[word] for word in FIRST], {*FIRST, LAST}, [rows[LAST]])
