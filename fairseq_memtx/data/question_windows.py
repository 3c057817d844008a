"""Questions cut for a model: words, their pieces, and windows of a context.

A row is ``<s> question </s> </s> context </s>``, as RoBERTa has it for two texts. A context too
long for one row is read in windows, each in a row with the question. A context has ``N`` pieces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Iterable, Iterator

import numpy as np
from fairseq.data import Dictionary

from .question_answering import Question

# Endings such as 's are words of their own, since GPT-2's pieces have them whole.
WORD = re.compile(r"\w+|'(?:s|t|re|ve|m|ll|d)\b|[^\w\s]")
FRAME = 4  # <s> and three </s>


@dataclass(frozen=True)
class EncodedText:
    """Pieces of a text, and where in it their words are.

    Attributes:
        pieces: ``N`` numbers of the dictionary.
        starts: ``N``, the first character of the word that a piece belongs to.
        ends: ``N``, the character after that word.
    """

    pieces: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    def pieces_of(self, span: tuple[int, int]) -> tuple[int, int]:
        """First and last piece of the words that touch characters ``[start, end)``."""
        first = np.searchsorted(self.ends, span[0], side="right")
        last = np.searchsorted(self.starts, span[1], side="left") - 1
        return int(first), int(last)

    def word_edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Which pieces begin a word, and which end one; ``N`` truth values each."""
        begins = np.diff(self.starts, prepend=-1) > 0
        return begins, np.append(begins[1:], True)


class TextEncoder:
    """Cuts texts into words, and words into pieces.

    Args:
        dictionary: of the pieces.
        bpe: one of fairseq's, or None for whole words.
    """

    def __init__(self, dictionary: Dictionary, bpe: Any = None) -> None:
        self.dictionary = dictionary
        self.bpe = bpe
        self._pieces_of_word = lru_cache(maxsize=100_000)(self._encode_word)

    def __call__(self, text: str) -> EncodedText:
        pieces: list[int] = []
        places: list[tuple[int, int]] = []
        for word in WORD.finditer(text):
            start, end = word.span()
            # Byte pairs of GPT-2 tell a word that follows a space from one that does not.
            spaced = start > 0 and text[start - 1].isspace()
            of_word = self._pieces_of_word(" " + word[0] if spaced else word[0])
            pieces += of_word
            places += [(start, end)] * len(of_word)
        starts, ends = np.array(places, dtype=np.int32).reshape(-1, 2).T
        return EncodedText(np.array(pieces, dtype=np.int32), starts, ends)

    def _encode_word(self, word: str) -> list[int]:
        pieces = self.bpe.encode(word) if self.bpe else word
        return [self.dictionary.index(piece) for piece in pieces.split()]


@dataclass(frozen=True)
class WindowedQuestion:
    """A question cut for a model.

    Attributes:
        question: as it was read.
        asked: its pieces.
        context: those of the document.
        windows: pieces ``[first, end)`` of the context that go into one row.
    """

    question: Question
    asked: np.ndarray
    context: EncodedText
    windows: list[tuple[int, int]]

    @property
    def context_offset(self) -> int:
        """Where the context begins in a row."""
        return len(self.asked) + FRAME - 1

    def answer_in(self, window: int) -> tuple[int, int]:
        """First and last position of the answer in a row; 0, which is ``<s>``, if it has none."""
        if self.question.span is not None:
            first, last = self.context.pieces_of(self.question.span)
            start, end = self.windows[window]
            if start <= first <= last < end:
                return tuple(self.context_offset - start + piece for piece in (first, last))
        return 0, 0


def plan_windows(length: int, size: int, stride: int) -> list[tuple[int, int]]:
    """Windows ``[first, end)`` of ``size``, ``stride`` apart, the last of which ends the text."""
    windows = [(0, min(size, length))]
    while windows[-1][1] < length:
        first = windows[-1][0] + stride
        windows.append((first, min(first + size, length)))
    return windows


def cut(
    questions: Iterable[Question],
    encode: TextEncoder,
    max_positions: int,
    max_question_length: int,
    stride: int = 0,
) -> Iterator[WindowedQuestion]:
    """Cut questions so that rows have up to ``max_positions`` tokens.

    Args:
        questions: as they were read.
        encode: for questions and contexts.
        max_positions: above ``max_question_length + FRAME``.
        max_question_length: pieces after which a question is cut off.
        stride: pieces from window to window, not above their size; half of it, if 0.
    """
    encode_context = lru_cache(maxsize=1)(encode)  # in SQuAD a context has several questions
    for question in questions:
        asked = encode(question.text).pieces[:max_question_length]
        context = encode_context(question.context)
        size = max_positions - FRAME - len(asked)
        windows = plan_windows(len(context.pieces), size, stride or (size + 1) // 2)
        yield WindowedQuestion(question, asked, context, windows)
