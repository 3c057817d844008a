"""Stories in noise: rows of any length, of which a window is made without the rest."""

from pathlib import Path

from ...errors import MemtxError
from .noise import DrawnNoise, Noise
from .text_noise import TextNoise

__all__ = ["make_noise"]

DRAWN_WORDS, WORDS_OF_TEXT = 300, 1000


def make_noise(path: str | None, size: int | None, longest: int, answers: list[str]) -> Noise:
    """The noise of the flags.

    Args:
        path: of a text; None for words that are drawn.
        size: of the vocabulary.
        longest: tokens of a row.
        answers: that may not stand in a text.

    Raises:
        MemtxError: if the text is too short for a row, or has answers in it.
    """
    if path is None:
        return DrawnNoise(DRAWN_WORDS if size is None else size)
    noise = TextNoise(Path(path), WORDS_OF_TEXT if size is None else size)
    if noise.shortest_part < longest:
        raise MemtxError(
            f"--noise {path} is too short: a row has up to {longest} tokens, and the tenth of the "
            f"text that is for validation has {noise.shortest_part} words"
        )
    held = sorted({*answers} & {*noise.words})
    if held:
        raise MemtxError(
            f"--noise {path} holds the answers {', '.join(held)}, where they belong to no fact: "
            "use another text, or take these words out of it"
        )
    return noise
