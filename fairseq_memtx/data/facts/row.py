"""One row: the sentences of a story at their places in noise, and the question at the end.

Shapes: ``L`` symbols of a row, of which any window is made without the rest.
"""

import random
from dataclasses import dataclass

import numpy as np
from fairseq.data import Dictionary

from ..stories import Asked, Story, Teller
from .noise import Passage

PLACEMENTS = ("anywhere", "start")
STORIES = 20  # that are told to see how short they are


@dataclass(frozen=True)
class Row:
    """A row that is not made yet.

    Attributes:
        pieces: symbols of every sentence, in order, and of what is asked.
        begins: where each of them begins.
        passage: the noise around them.
        symbols: of the passage's words.
        answers: the symbol that is to follow each question, in order.
        asked: where their last symbols stand.
    """

    pieces: list[np.ndarray]
    begins: np.ndarray
    passage: Passage
    symbols: np.ndarray
    answers: list[int]
    asked: list[int]

    def window(self, begin: int, end: int) -> np.ndarray:
        """Symbols ``begin`` to ``end``."""
        lengths = np.array([len(piece) for piece in self.pieces])
        before, until = (
            place - int(np.clip(place - self.begins, 0, lengths).sum()) for place in (begin, end)
        )
        window = np.empty(end - begin, dtype=np.int64)
        noise = np.ones(end - begin, dtype=bool)
        (inside,) = np.nonzero((self.begins < end) & (self.begins + lengths > begin))
        for number in inside:
            first = self.begins[number] - begin
            here = slice(max(first, 0), min(first + lengths[number], end - begin))
            window[here] = self.pieces[number][here.start - first : here.stop - first]
            noise[here] = False
        window[noise] = self.symbols[self.passage.read(before, until)]
        return window


def room_for_noise(story: Story, length: int) -> int:
    """Words of noise in a row of ``length`` symbols; negative where the story is longer."""
    return length - sum(map(len, story.sentences)) - len(_questions(story))


def least_segments(teller: Teller, segment_length: int) -> int:
    """Segments that hold a story with its question, the shortest of some."""
    numbers = random.Random(0)
    stories = [teller.tell(numbers, "train") for _ in range(STORIES)]
    shortest = min(-room_for_noise(story, 0) for story in stories)
    return -(-shortest // segment_length)


def lay_out(
    story: Story,
    passage: Passage,
    length: int,
    placement: str,
    numbers: random.Random,
    dictionary: Dictionary,
    symbols: np.ndarray,
) -> Row:
    """A row of ``length`` symbols: the story's sentences in order, at their places in noise.

    With the placement ``anywhere`` those are drawn, each alike, and sorted (BABILong,
    arXiv:2406.10149, section 2); with ``start`` all are in front. Segments do not matter: a
    sentence may begin in one and end in the next.
    """
    pieces = [
        np.array([dictionary.index(word) for word in words])
        for words in (*story.sentences, _questions(story))
    ]
    noise = room_for_noise(story, length)
    places = [0] * len(story.sentences)
    if placement == "anywhere":
        borders = passage.borders(noise)
        places = sorted(passage.border(numbers.randrange(borders)) for _ in places)
    before = np.cumsum([0, *map(len, story.sentences)])
    begins = np.array([*places, noise]) + before
    asked, place = [], length - len(pieces[-1]) - 1
    for question, _ in _asked(story):
        place += len(question)
        asked.append(place)
    answers = [dictionary.index(answer) for _, answer in _asked(story)]
    return Row(pieces, begins, passage, symbols, answers, asked)


def _asked(story: Story) -> list[Asked]:
    return [*story.before, (story.question, story.answer)]


def _questions(story: Story) -> list[str]:
    return [word for question, _ in _asked(story) for word in question]
