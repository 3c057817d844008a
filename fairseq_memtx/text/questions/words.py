"""What is cut into pieces as one in questions and their contexts."""

import re

from ..folder import FolderText
from ..words import BETWEEN_SPACES, WORDS_AND_MARKS

WORD = re.compile(WORDS_AND_MARKS)  # an answer begins and ends with one
WHITE_SPACE_WORD = re.compile(BETWEEN_SPACES)


def chunk_pattern(record: FolderText | None) -> re.Pattern[str]:
    """A word without its punctuation, but where the model's text had it at its words, with it."""
    if record is None or record.unit not in ("words", "pieces") or record.moses:
        return WORD
    return WHITE_SPACE_WORD if record.punctuation_apart is False else WORD
