"""Noise of a user's text, with the story's sentences between its own (BABILong, section 2)."""

from collections import Counter
from pathlib import Path

import numpy as np

from ...errors import MemtxError
from ...text.lines import read_text
from ...text.words import split_words
from .noise import Noise, Passage

PARTS = ("train", "valid", "test")
ENDS = tuple(".!?…。！？")  # noqa: RUF001  (of a sentence, at the end of a word)
CLOSING = "\"'”’)]»"  # noqa: RUF001  (which may stand behind them, and be words of their own)


class TextNoise(Noise):
    """Passages of a text, which begin with any of its sentences.

    Training reads the first eight tenths, validation the ninth and test the last; a passage that
    comes to the end of its part goes on at the beginning of the part.

    Args:
        path: of the text, in which words stand between white space.
        size: how many of its words a model is to know, those of training that are most frequent.

    Raises:
        MemtxError: if the file cannot be read, or has too few sentences to share out.
    """

    def __init__(self, path: Path, size: int) -> None:
        if size < 1:
            raise MemtxError(f"--noise-words {size} is too small: use 1 or more")
        places: dict[str, int] = {}
        tokens: list[int] = []
        begins: list[int] = []
        for line in read_text(path, "give a text file to --noise").splitlines():
            anew = True
            for word in split_words(line):
                if anew and not (begins and word in CLOSING):
                    begins.append(len(tokens))
                    anew = False
                tokens.append(places.setdefault(word, len(places)))
                anew = anew or word.rstrip(CLOSING).endswith(ENDS)
        if len(begins) < 10:
            raise MemtxError(
                f"--noise {path} is too short: it has {len(begins)} sentences, and training, "
                "validation and test need some each"
            )
        self.path, self.words = path, list(places)
        cuts = [begins[len(begins) * tenth // 10] for tenth in (0, 8, 9)]
        self.parts = {
            part: TextPart(np.array(tokens[first:last], np.int32), np.array(begins), first)
            for part, first, last in zip(PARTS, cuts, [*cuts[1:], len(tokens)])
        }
        counts = Counter(self.parts["train"].tokens.tolist())
        self.vocabulary = [self.words[place] for place, _ in counts.most_common(size)]

    @property
    def shortest_part(self) -> int:
        """Words of the part that has fewest."""
        return min(len(part.tokens) for part in self.parts.values())

    def passage(self, key: int, part: str) -> "TextPassage":
        return TextPassage(self.parts[part], key)


class TextPart:
    """Sentences of one part.

    Args:
        tokens: of the part, as places in `Noise.words`.
        begins: of all sentences of the text.
        first: where the part begins.
    """

    def __init__(self, tokens: np.ndarray, begins: np.ndarray, first: int) -> None:
        self.tokens = tokens
        self.begins = begins[(begins >= first) & (begins < first + len(tokens))] - first

    def begun(self, place: int) -> int:
        """How many sentences begin before a place, if the part comes again and again."""
        rounds, place = divmod(place, len(self.tokens))
        return rounds * len(self.begins) + int(np.searchsorted(self.begins, place))

    def begin(self, number: int) -> int:
        """Where such a sentence begins."""
        rounds, number = divmod(number, len(self.begins))
        return rounds * len(self.tokens) + int(self.begins[number])


class TextPassage(Passage):
    """A passage from a sentence on.

    Args:
        part: whose sentences it has.
        key: says which is the first of them.
    """

    def __init__(self, part: TextPart, key: int) -> None:
        self.part = part
        self.first = key % len(part.begins)
        self.start = part.begin(self.first)

    def read(self, begin: int, end: int) -> np.ndarray:
        places = np.arange(self.start + begin, self.start + end)
        return self.part.tokens[places % len(self.part.tokens)]

    def borders(self, length: int) -> int:
        return self.part.begun(self.start + length + 1) - self.first

    def border(self, number: int) -> int:
        return self.part.begin(self.first + number) - self.start
