"""Rows by their numbers, for training, validation and test."""

import random

import numpy as np
from fairseq.data import Dictionary

from ...errors import MemtxError
from ..drawn_examples import DrawnExamples
from ..stories import Story, Teller
from .noise import Noise
from .row import Row, lay_out, room_for_noise

TRIES = 1000  # stories, until one fits


class FactsInNoise(DrawnExamples):
    """Stories in noise, of any length; example ``i`` also depends on that.

    Args:
        teller: of the stories.
        noise: around them.
        dictionary: of the words of both; those of the noise that it lacks are unknown.
        placement: of the sentences, see `lay_out`.
        size: examples, at least 1.
        seed: of the random numbers.
        split: its name, see `DrawnExamples`.
    """

    def __init__(
        self,
        teller: Teller,
        noise: Noise,
        dictionary: Dictionary,
        placement: str,
        size: int,
        seed: int,
        split: str,
    ) -> None:
        super().__init__(size, seed, split)
        self.teller, self.noise, self.placement = teller, noise, placement
        self.dictionary = dictionary
        self.symbols = noise_symbols(noise, dictionary)

    def row(self, index: int, length: int) -> Row:
        """Example ``index`` as a row of ``length`` symbols.

        A story that is longer than the row is told again, as another.

        Raises:
            MemtxError: if none fits.
        """
        numbers = random.Random(self.seed_of(index))
        story = self._story(numbers, length)
        passage = self.noise.passage(numbers.getrandbits(128), self.part)
        return lay_out(
            story, passage, length, self.placement, numbers, self.dictionary, self.symbols
        )

    def _story(self, numbers: random.Random, length: int) -> Story:
        for _ in range(TRIES):
            story = self.teller.tell(numbers, self.part)
            if room_for_noise(story, length) >= 0:
                return story
        raise MemtxError(
            f"a story with its question has more than the {length} tokens of a row: raise "
            "--segments or --tokens-per-sample, or lower --facts"
        )


def noise_symbols(noise: Noise, dictionary: Dictionary) -> np.ndarray:
    """The symbol of each of the noise's words; fairseq's own symbols are no words."""
    symbols = np.array([dictionary.index(word) for word in noise.words])
    symbols[symbols < dictionary.nspecial] = dictionary.unk()
    return symbols
