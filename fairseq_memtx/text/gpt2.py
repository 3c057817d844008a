"""GPT-2's byte pair encoding, as fairseq has it, from two files that fit each other."""

from typing import Any, Callable

from ..errors import MemtxError


def read_encoder(encoder_json: str, vocab_bpe: str) -> Any:
    """Fairseq's encoder, which ends in one line at a piece that the files do not have."""
    from fairseq.data.encoders.gpt2_bpe_utils import get_encoder

    try:
        encoder = get_encoder(encoder_json, vocab_bpe)
        with open(vocab_bpe, encoding="utf-8") as file:
            told = _misfit(encoder, file.read())
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        told = " ".join(str(error).split())[:200]
    if told:
        raise MemtxError(
            f"{encoder_json} or {vocab_bpe}: damaged file, or not of one model ({told}): copy both "
            "again"
        )
    encoder.encode = _checked(encoder.encode)
    return encoder


def _misfit(encoder: Any, merges: str) -> str | None:
    """Why the two files do not fit each other, if they do not."""
    for piece, number in encoder.encoder.items():
        if type(number) is not int or number < 0:
            return f"the piece {piece[:40]!r} has no number"
    if len(encoder.decoder) < len(encoder.encoder):
        return "two pieces have one number"
    if not merges.endswith("\n"):
        return "the latter is cut off in its last line"  # which fairseq would leave out
    for merge in encoder.bpe_ranks:
        if len(merge) != 2:
            return f"{' '.join(merge)[:40]!r} is no pair of pieces"
        if "".join(merge) not in encoder.encoder:
            return f"the pair {' '.join(merge)[:40]!r} makes a piece that the former has not"
    return None


def _checked(encode: Callable[[str], list[int]]) -> Callable[[str], list[int]]:
    def checked(text: str) -> list[int]:
        try:
            return encode(text)
        except KeyError as error:
            raise MemtxError(
                f"encoder.json has no piece for {str(error.args[0])[:40]!r}: copy it again"
            ) from error
        except UnicodeEncodeError as error:
            raise MemtxError(f"the text has half a character, {text[error.start]!a}") from error

    return checked
