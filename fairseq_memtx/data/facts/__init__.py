"""Stories in noise: rows of any length, of which a window is made without the rest."""

import logging
from pathlib import Path

from ...errors import MemtxError
from .noise import DrawnNoise, Noise
from .text_noise import TextNoise

__all__ = ["check_answers", "make_noise"]

logger = logging.getLogger(__name__)

DRAWN_WORDS, WORDS_OF_TEXT = 300, 1000


def make_noise(path: str | None, size: int | None, longest: int) -> Noise:
    """The noise of the flags.

    Args:
        path: of a text; None for words that are drawn.
        size: of the vocabulary.
        longest: tokens of a row.

    Raises:
        MemtxError: if the text is too short for a row.
    """
    if path is None:
        return DrawnNoise(DRAWN_WORDS if size is None else size)
    noise = TextNoise(Path(path), WORDS_OF_TEXT if size is None else size)
    if noise.shortest_part < longest:
        raise MemtxError(
            f"--noise {path} is too short: a row has up to {longest} tokens, and a tenth of the "
            f"text, as much as is kept for validation, has {noise.shortest_part}"
        )
    return noise


def check_answers(noise: Noise, answers: list[str], allowed: bool) -> None:
    """Look for answers in the noise, where they belong to no fact.

    Args:
        noise: of the rows.
        answers: that there are.
        allowed: only tell of it, as where the words are bAbI's, of which every book has some.

    Raises:
        MemtxError: if there are some.
    """
    held = sorted({*answers} & {*noise.words})
    if held and not allowed:
        raise MemtxError(
            f"the text of --noise holds the answers {', '.join(held)}, which are no facts there: "
            "use another text, or take these words out of it"
        )
    if held:
        logger.info(f"the noise holds answers, which stay in it: {', '.join(held)}")
