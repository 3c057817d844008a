"""The words of a published Transformer-XL and of fairseq, for the conversion of its weights.

The published code has a list of words, the vocabulary, and fairseq a dictionary. Words are the same
in both but for the end of a line, ``<eos>`` in one and ``</s>`` in the other. A word's row is its
place in such a list, -1 where the list has no such word.
"""

from bisect import bisect_right
from collections import Counter
from pathlib import Path

from fairseq.data import Dictionary

from ..errors import MemtxError


def read_words(vocabulary: Path | None, dictionary: Path | None) -> tuple[list[str], Dictionary]:
    """Both lists; one for which there is no file is made from the other."""
    try:
        ours = Dictionary.load(str(dictionary)) if dictionary else Dictionary()
        if vocabulary:
            words = vocabulary.read_text(encoding="utf-8").split()
        else:
            words = published_names(ours)
        if not dictionary:
            for word in words:
                ours.add_symbol("</s>" if word == "<eos>" else word)
    except MemtxError:
        raise
    except Exception as cause:  # fairseq raises whatever comes
        raise MemtxError(f"the words could not be read, which are to be UTF-8: {cause}") from cause
    for names in (words, published_names(ours)):
        if len(set(names)) < len(names):
            ((twice, _),) = Counter(names).most_common(1)
            raise MemtxError(
                f"the word {twice} comes twice (</s> and <eos> are one): leave one out"
            )
    return words, ours


def published_names(dictionary: Dictionary) -> list[str]:
    """The dictionary's symbols as the published code calls them."""
    return ["<eos>" if symbol == "</s>" else symbol for symbol in dictionary.symbols]


def dictionary_rows(dictionary: Dictionary, vocabulary: list[str]) -> list[int]:
    """The vocabulary's row of every symbol; -1 only for symbols that stand for no word of a text.

    Any other word that is in one of the lists only is refused.
    """
    names = published_names(dictionary)
    rows = _find(names, vocabulary)
    special = set(names[: dictionary.nspecial])
    new = [name for name, row in zip(names, rows) if row < 0]
    words = [name for name in new if name not in special and not name.startswith("madeupword")]
    refuse(words, "dictionary", "binarise the text with the words of the vocabulary")
    lost = sorted(set(vocabulary) - set(names))
    refuse(lost, "vocabulary", "without their probability, all others would be wrong")
    return rows


def vocabulary_rows(vocabulary: list[str], dictionary: Dictionary) -> list[int]:
    """The dictionary's row of every published word, of which none may be missing."""
    rows = _find(vocabulary, published_names(dictionary))
    new = [word for word, row in zip(vocabulary, rows) if row < 0]
    refuse(new, "vocabulary", "the model has no row for them")
    return rows


def _find(wanted: list[str], words: list[str]) -> list[int]:
    rows = {word: row for row, word in enumerate(words)}
    return [rows.get(word, -1) for word in wanted]


def refuse(words: list[str], where: str, advice: str) -> None:
    """Refuse words that are in one of the lists only, if there are any."""
    if words:
        raise MemtxError(
            f"{len(words)} words are in the {where} only, such as {words[0]}: {advice}"
        )


def moved_cutoffs(cutoffs: list[int], rows: list[int]) -> list[int]:
    """The cutoffs after the rows were put in another order; a new row joins the row before it.

    Words of different clusters that were mixed are refused. ``rows`` are those before.
    """
    clusters = [0]
    for row in rows:
        cluster = clusters[-1] if row < 0 else bisect_right(cutoffs, row)
        if cluster < clusters[-1]:
            raise MemtxError(
                f"the word of row {row} belongs to cluster {cluster} of the adaptive softmax and "
                f"comes after words of cluster {clusters[-1]}: use a word list in the order of the "
                "other, which --write-dictionary and --write-vocabulary write"
            )
        clusters.append(cluster)
    return [bisect_right(clusters[1:], cluster) for cluster in range(len(cutoffs))]
