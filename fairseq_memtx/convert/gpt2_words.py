"""The words of a Hugging Face model with GPT-2's byte-level BPE, as fairseq spells them.

Hugging Face's ``vocab.json`` numbers the pieces of a model; fairseq's ``encoder.json`` has GPT-2's
own numbers, and ``dict.txt`` lists these, as words, in the order of the model's rows. The number of
a piece follows from the merges: the 256 bytes come first, in an order of their own, then the result
of each merge, then ``<|endoftext|>``.
"""

import json
from pathlib import Path
from typing import NamedTuple

from fairseq.data import Dictionary
from fairseq.data.encoders.gpt2_bpe_utils import bytes_to_unicode

from ..errors import MemtxError
from .hugging_face import read_json


class Tokenizer(NamedTuple):
    """A tokenizer of Hugging Face."""

    rows: dict[str, int]  # of the model, that each word has, which are all rows
    merges: list[str]  # pairs of pieces, in order
    source: Path  # the file that says so

    def write(self, folder: Path) -> None:
        """Write ``vocab.json`` and ``merges.txt``."""
        rows = json.dumps(self.rows, ensure_ascii=False)
        (folder / "vocab.json").write_text(rows, encoding="utf-8")
        self.write_merges(folder / "merges.txt")

    def write_merges(self, path: Path) -> None:
        """Write them as Hugging Face and fairseq read them."""
        path.write_text("\n".join(["#version: 0.2", *self.merges, ""]), encoding="utf-8")


class Words(NamedTuple):
    """What is written, and the row of the Hugging Face model that each row of ours comes from."""

    tokenizer: Tokenizer
    symbols: list[str]  # of dict.txt
    encoder: dict[str, int]  # of encoder.json
    rows: list[int]  # -1 for a word that Hugging Face's model has not

    def dictionary(self) -> Dictionary:
        """That of fairseq, without what tasks add."""
        dictionary = Dictionary()
        for symbol in self.symbols:
            dictionary.add_symbol(symbol)
        return dictionary

    def write(self, folder: Path) -> None:
        """Write the files that fairseq reads."""
        self.dictionary().save(str(folder / "dict.txt"))
        (folder / "encoder.json").write_text(json.dumps(self.encoder), encoding="utf-8")
        self.tokenizer.write_merges(folder / "vocab.bpe")


def read_words(
    folder: Path, vocab_size: int, model: str, first: list[str | None], last: list[str]
) -> Words:
    """The words of a model; another kind of BPE is refused.

    Args:
        folder: with the tokenizer.
        vocab_size: rows that the model has.
        model: its name, for errors.
        first: words in place of ``<s> <pad> </s> <unk>``, with which fairseq's dictionary begins.
        last: words that a task adds to the dictionary by itself.
    """
    tokenizer = read_tokenizer(folder, vocab_size)
    theirs, source = tokenizer.rows, tokenizer.source
    special = [word for word in (*first, *last) if word]
    for word in special:
        if word not in theirs:
            raise MemtxError(
                f"{source} has no {word}: it is not {model}'s, and cannot be converted"
            )
    encoder = {piece: number for number, piece in enumerate(bytes_to_unicode().values())}
    for rank, merge in enumerate(tokenizer.merges):
        # A second way to the same piece has no number of its own.
        encoder.setdefault(merge.replace(" ", ""), 256 + rank)
    encoder["<|endoftext|>"] = 256 + len(tokenizer.merges)

    middle = sorted(theirs.keys() - special, key=theirs.__getitem__)
    symbols = [piece if piece.startswith("madeupword") else encoder.get(piece) for piece in middle]
    if None in symbols:
        raise MemtxError(
            f"{source} has the word {middle[symbols.index(None)]}, which is no byte and not made "
            "by a merge: only GPT-2's byte-level BPE without words of one's own can be converted"
        )
    rows = [theirs[word] if word else -1 for word in (*first, *middle, *last)]
    return Words(tokenizer, [str(symbol) for symbol in symbols], encoder, rows)


def read_tokenizer(folder: Path, vocab_size: int) -> Tokenizer:
    """The tokenizer in ``vocab.json`` and ``merges.txt`` or ``tokenizer.json``.

    Files that are missing, damaged, or of a model with another number of rows are refused.
    """
    files = [folder / name for name in ("vocab.json", "merges.txt", "tokenizer.json")]
    source, merges_file, both = files
    try:
        if source.is_file() and merges_file.is_file():
            vocabulary = dict(read_json(source))
            lines = merges_file.read_text(encoding="utf-8").splitlines()
            merges = [line for line in lines if line and not line.startswith("#version")]
        elif both.is_file():  # all that transformers 5 writes
            source = merges_file = both
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
        raise MemtxError(f"{source} is not the tokenizer of a RoBERTa or GPT-2 ({told})") from cause
    for merge in merges:
        if len(merge.split()) != 2:
            raise MemtxError(
                f"{merges_file} has the merge '{merge}', which is no pair of pieces: copy it again"
            )
    if sorted(vocabulary.values()) != list(range(vocab_size)):
        raise MemtxError(
            f"{source} has {len(vocabulary)} words, and config.json a vocab_size of {vocab_size}: "
            "every row has to be one word, use the tokenizer that the model was trained with"
        )
    return Tokenizer(vocabulary, merges, source)
