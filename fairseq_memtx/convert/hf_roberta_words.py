"""The words of a Hugging Face RoBERTa as fairseq spells them.

Both cut text with GPT-2's byte-level BPE. Hugging Face's ``vocab.json`` numbers the pieces of a
model; fairseq's ``encoder.json`` has GPT-2's own numbers, and ``dict.txt`` lists these, as words,
in the order of the model's rows. GPT-2's number of a piece follows from the merges: the 256 bytes
come first, in an order of their own, then the result of each merge, then ``<|endoftext|>``.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from fairseq.data.encoders.gpt2_bpe_utils import bytes_to_unicode

from ..errors import MemtxError

FIRST = ["<s>", "<pad>", "</s>", "<unk>"]  # what fairseq's dictionary begins with by itself
LAST = "<mask>"  # which the task ``masked_lm`` adds by itself


class Words(NamedTuple):
    """What is written, and the row of the Hugging Face model that each row of ours comes from."""

    symbols: list[str]  # of dict.txt
    encoder: dict[str, int]  # of encoder.json
    merges: list[str]  # of vocab.bpe
    rows: list[int]


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        MemtxError: if it is cut off or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as cause:
        raise MemtxError(f"{path} is cut off or not JSON ({cause}): copy it again") from cause


def read_words(folder: Path, vocab_size: int, pad: int) -> Words:
    """The words of a model.

    Args:
        folder: with ``vocab.json`` and ``merges.txt``, or ``tokenizer.json``.
        vocab_size: rows that the model has.
        pad: the row for padding.

    Raises:
        MemtxError: if the files are missing, contradict each other, or are of another kind of BPE.
    """
    vocabulary, merges, source = _read_tokenizer(folder)
    if sorted(vocabulary.values()) != list(range(vocab_size)):
        raise MemtxError(
            f"{source} has {len(vocabulary)} words, and config.json a vocab_size of {vocab_size}: "
            "every row has to be one word, use the tokenizer that the model was trained with"
        )
    for word in [*FIRST, LAST]:
        if word not in vocabulary:
            raise MemtxError(
                f"{source} has no {word}: it is not RoBERTa's, and cannot be converted"
            )
    if vocabulary["<pad>"] != pad:
        raise MemtxError(
            f"{source} has <pad> in row {vocabulary['<pad>']}, and config.json a pad_token_id of "
            f"{pad}: correct the one that is wrong"
        )
    encoder = {piece: number for number, piece in enumerate(bytes_to_unicode().values())}
    for rank, merge in enumerate(merges):  # a second way to the same piece has no number of its own
        encoder.setdefault(merge.replace(" ", ""), 256 + rank)
    encoder["<|endoftext|>"] = 256 + len(merges)

    middle = sorted(vocabulary.keys() - {*FIRST, LAST}, key=vocabulary.__getitem__)
    symbols = [piece if piece.startswith("madeupword") else encoder.get(piece) for piece in middle]
    if None in symbols:
        raise MemtxError(
            f"{source} has the word {middle[symbols.index(None)]}, which is no byte and not made "
            "by a merge: only GPT-2's byte-level BPE without words of one's own can be converted"
        )
    rows = [vocabulary[word] for word in [*FIRST, *middle, LAST]]
    return Words([str(symbol) for symbol in symbols], encoder, merges, rows)


def _read_tokenizer(folder: Path) -> tuple[dict[str, int], list[str], Path]:
    """Words by their row, merges, and the file that says so."""
    source, merges_file, both = (
        folder / name for name in ("vocab.json", "merges.txt", "tokenizer.json")
    )
    try:
        if source.is_file() and merges_file.is_file():
            vocabulary = dict(read_json(source))
            lines = merges_file.read_text(encoding="utf-8").splitlines()
            merges = [line for line in lines if line and not line.startswith("#version")]
        elif both.is_file():  # all that transformers 5 writes
            source = both
            tokenizer = read_json(both)
            vocabulary = dict(tokenizer["model"]["vocab"])
            for word in tokenizer["added_tokens"]:
                vocabulary[word["content"]] = word["id"]
            merges = [
                merge if isinstance(merge, str) else " ".join(merge)
                for merge in tokenizer["model"]["merges"]
            ]
        else:
            raise MemtxError(
                f"{folder} has neither vocab.json and merges.txt nor tokenizer.json: copy the "
                "tokenizer of the model there"
            )
        numbers = {type(row) for row in vocabulary.values()}
        if numbers != {int} or not all(isinstance(word, str) for word in vocabulary):
            raise TypeError("the rows of the words are not all whole numbers")
    except (KeyError, TypeError, ValueError, AttributeError) as cause:
        told = f"{type(cause).__name__}: {str(cause)[:200]}"
        raise MemtxError(f"{source} is not the tokenizer of a RoBERTa ({told})") from cause
    for merge in merges:
        if len(merge.split()) != 2:
            raise MemtxError(f"{merges_file} has the line '{merge}', which is no pair of pieces")
    return vocabulary, merges, source
