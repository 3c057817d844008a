"""The words that a model knows: those of stories, and those of the noise that it was trained in."""

from fairseq.data import Dictionary

from ...errors import MemtxError


def dictionary_of(words: list[str]) -> Dictionary:
    """Fairseq's own symbols, and then these in their order."""
    dictionary = Dictionary()
    for word in words:
        dictionary.add_symbol(word)
    return dictionary


def check_known(known: list[str], told: list[str], noise: list[str]) -> None:
    """Refuse what a trained model could not make anything of.

    Args:
        known: words that it was trained with.
        told: all words of stories, questions and answers.
        noise: words of the noise; those that it does not know are ``<unk>``.

    Raises:
        MemtxError: with the words that are missing.
    """
    missing = [word for word in told if word not in known]
    if missing:
        raise MemtxError(
            f"the checkpoint was trained without the words {', '.join(missing)}: ask for what it "
            "knows by --questions, --names and --places"
        )
    if not {*known} & {*noise}:
        raise MemtxError(
            "the checkpoint was trained without any word of this noise: use the --noise of its "
            "training, or another text of the same language"
        )
