"""Documents of facts in noise with a question in front, which one of the facts answers.

A row is ``<s> question </s> </s> noise fact ... noise </s>``, as in `questions.windows`, and a
document is one window. What no reader of single chunks can know is known exactly.
"""

import math
import random
from dataclasses import replace

import numpy as np
from fairseq.data import Dictionary

from ...errors import MemtxError
from ...text.questions.reading import Question
from ..drawn_examples import DrawnExamples, at_least
from ..questions.windows import FRAME, EncodedText, WindowedQuestion
from ..stories.told_facts import FactsApart
from .noise import Noise
from .row import lay_out
from .story_examples import noise_symbols

QUESTION, FACT = 3, 4  # words: "where is Ada", "Ada is in cellar"


class FactDocuments(DrawnExamples):
    """Documents of ``length`` words, whose facts stand behind the first ``distance`` of them.

    Args:
        teller: of the facts.
        noise: around them.
        dictionary: of the words of both.
        length: words of a document.
        distance: words of noise at least between the question and the first fact.
        size: examples, at least 1.
        seed: of the random numbers.
        split: its name, see `DrawnExamples`.
    """

    def __init__(
        self,
        teller: FactsApart,
        noise: Noise,
        dictionary: Dictionary,
        length: int,
        distance: int,
        size: int,
        seed: int,
        split: str,
    ) -> None:
        super().__init__(size, seed, split)
        at_least(0, "--distance", distance)
        if length < distance + FACT * teller.facts:
            raise MemtxError(
                f"--facts {teller.facts} behind --distance {distance} need {FACT} words each, more "
                f"than --sequence-length {length} has: raise that, or lower one of them"
            )
        self.teller, self.noise, self.dictionary = teller, noise, dictionary
        self.length, self.distance = length, distance
        self.symbols = noise_symbols(noise, dictionary)
        self.text = np.array(dictionary.symbols, dtype=object)

    def best_without_memory(self, chunk: int) -> float:
        """Accuracy that no model can beat in the long run whose tokens see their own chunk alone.

        A fact that begins in the chunk of the question is found there, if it is asked for. Nothing
        that is known of the others depends on the question, and all of them are equally likely: of
        ``r`` one in ``r`` is right, whichever. So with ``n`` of ``K`` facts in that chunk the best
        accuracy is ``(n + 1) / K``, and 1 if all are there.
        """
        facts = self.teller.facts
        # <s> is at position 0, so the name that is asked for is at that of the question's length.
        border = (QUESTION // chunk + 1) * chunk - (QUESTION + FRAME - 1) - self.distance
        places = self.length - self.distance - facts * FACT + 1  # in the noise, for a fact
        # They are drawn, each alike, and sorted; fact j begins after j others.
        before = [(border - number * FACT) / places for number in range(facts)]
        inside = [_at_least(j + 1, facts, min(max(p, 0.0), 1.0)) for j, p in enumerate(before)]
        return (sum(inside) + 1 - inside[-1]) / facts

    def __getitem__(self, index: int) -> WindowedQuestion:
        """A question, its document and where the answer is."""
        numbers = random.Random(self.seed_of(index))
        story = self.teller.tell(numbers, self.part)
        passage = self.noise.passage(numbers.getrandbits(128), self.part)
        told = replace(story, question=[])
        far = self.length - self.distance
        row = lay_out(told, passage, far, "anywhere", numbers, self.dictionary, self.symbols)
        front = self.symbols[passage.read(far, self.length)]  # the row has read up to there
        pieces = np.concatenate([front, row.window(0, far)])
        words = self.text[pieces].tolist()
        ends = np.cumsum([len(word) + 1 for word in words]) - 1
        starts = np.concatenate([[0], ends[:-1] + 1])
        asked = next(n for n, fact in enumerate(story.sentences) if fact[0] == story.question[-1])
        first = self.distance + int(row.begins[asked])
        last = first + len(story.sentences[asked]) - 1
        context, span = " ".join(words), (int(starts[first]), int(ends[last]))
        question = Question(
            str(index),
            " ".join(story.question),
            context,
            [context[slice(*span)]],
            span,
            "squad-1.1",
        )
        symbols = np.array([self.dictionary.index(word) for word in story.question])
        return WindowedQuestion(
            question, symbols, EncodedText(pieces, starts, ends), [(0, self.length)]
        )


def _at_least(least: int, draws: int, share: float) -> float:
    """Probability that so many of the draws, or more, are in a share of the places."""
    return sum(
        math.comb(draws, hits) * share**hits * (1 - share) ** (draws - hits)
        for hits in range(least, draws + 1)
    )
