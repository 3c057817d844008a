"""Questions cut for a model: words, their pieces, and windows of a context.

A row is ``<s> question </s> </s> context </s>``, as RoBERTa has it for two texts. A context too
long for one row is read in windows, each in a row with the question. A context has ``N`` pieces.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Callable, Iterable, Iterator

import numpy as np
from fairseq.data import Dictionary

from ...text.folder import FolderText
from ...text.questions.reading import Question
from ...text.questions.words import WORD, chunk_pattern
from ...text.symbols import escape

MARK = "@@"  # of subword-nmt, at all pieces of a word but the last
FRAME = 4  # <s> and three </s>


@dataclass(frozen=True)
class EncodedText:
    """Pieces of a text, and where in it their words are."""

    pieces: np.ndarray  # N numbers of the dictionary
    starts: np.ndarray  # N, the first character of the word that a piece belongs to
    ends: np.ndarray  # N, the character after that word

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

    Where the text that the model knows has its punctuation at its words, as it was given, pieces
    are those of what stands between white space; an answer's borders are still those of words
    without it.

    Args:
        dictionary: of the pieces.
        bpe: one of fairseq's, or None for whole words.
        record: how the text was cut that the model knows, if that is known; ``words`` and
            ``pieces`` are cut by it in place of ``bpe``.
        lowercase: whether that text was lower-cased.
    """

    def __init__(
        self,
        dictionary: Dictionary,
        bpe: Any = None,
        record: FolderText | None = None,
        lowercase: bool = False,
    ) -> None:
        self.dictionary = dictionary
        self.bpe = bpe
        self.lowercase = lowercase or (record is not None and record.lowercase)
        self._by_record: Callable[[str], str] | None = None
        self._chunk = chunk_pattern(record)
        if record is not None and record.unit in ("words", "pieces"):
            self._by_record = record.pieces()
        self._pieces_of_chunk = lru_cache(maxsize=100_000)(self._encode_chunk)

    def __call__(self, text: str) -> EncodedText:
        pieces: list[int] = []
        places: list[tuple[int, int]] = []
        for chunk in self._chunk.finditer(text):
            start = chunk.start()
            # Byte pairs of GPT-2 tell a word that follows a space from one that does not.
            spaced = start > 0 and text[start - 1].isspace()
            for piece, (first, last) in self._pieces_of_chunk(chunk[0], spaced):
                pieces.append(piece)
                places.append((start + first, start + last))
        starts, ends = np.array(places, dtype=np.int32).reshape(-1, 2).T
        return EncodedText(np.array(pieces, dtype=np.int32), starts, ends)

    def _encode_chunk(self, chunk: str, spaced: bool) -> list[tuple[int, tuple[int, int]]]:
        """Pieces of a word, or of several without white space, and the words they belong to."""
        word = chunk.lower() if self.lowercase else chunk
        if self._by_record is not None:
            pieces = self._by_record(escape(word)).split()
        else:
            spaced_word = f" {word}" if spaced else word
            pieces = (self.bpe.encode(spaced_word) if self.bpe else spaced_word).split()
        words = [found.span() for found in WORD.finditer(chunk)] or [(0, len(chunk))]
        numbers = [self.dictionary.index(piece) for piece in pieces]
        if len(words) == 1:
            return [(number, words[0]) for number in numbers]
        # The character of the chunk that each letter of the word comes from: not always as many.
        origins = [i for i, c in enumerate(chunk) for _ in (c.lower() if self.lowercase else c)]
        found, place = [], 0
        for number, piece in zip(numbers, pieces):
            length = len(piece) - len(MARK) * piece.endswith(MARK)
            first, last = (
                origins[min(at, len(origins) - 1)] for at in (place, place + max(length, 1) - 1)
            )
            start = next(start for start, end in words if end > first)
            end = next(end for start, end in reversed(words) if start <= last)
            found.append((number, (start, end)))
            place += length
        return found


@dataclass(frozen=True)
class WindowedQuestion:
    """A question cut for a model."""

    question: Question  # as it was read
    asked: np.ndarray  # its pieces
    context: EncodedText  # those of the document
    windows: list[tuple[int, int]]  # pieces ``[first, end)`` of the context that go into one row

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
                moved = self.context_offset - start
                return moved + first, moved + last
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
