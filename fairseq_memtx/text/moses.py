"""sacremoses: punctuation made uniform and told apart from words."""

from functools import cache
from typing import Callable


@cache
def moses_splitter(language: str, dash_splits: bool, escape: bool) -> Callable[[str], str]:
    """A function from a line to its words by the rules of a language, with a space between them.

    Args:
        language: such as "en".
        dash_splits: split words at their dashes, written ``@-@`` then.
        escape: write ``&`` as ``&amp;`` and the like, as the command sacremoses does;
            detokenizing turns them back.

    Raises:
        ImportError: if sacremoses is not there.
    """
    from sacremoses import MosesPunctNormalizer, MosesTokenizer

    normalizer, tokenizer = MosesPunctNormalizer(language), MosesTokenizer(language)

    def split(line: str) -> str:
        # The command leaves the newline on, and a rule for German quotation marks looks at it.
        text = normalizer.normalize(line.strip() + "\n")
        return tokenizer.tokenize(
            text, aggressive_dash_splits=dash_splits, return_str=True, escape=escape
        )

    return split
