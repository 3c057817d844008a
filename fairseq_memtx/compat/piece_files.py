"""Files that say how words are cut into pieces are looked at when a ``--bpe`` is built from them.

fairseq and the packages behind it end in whatever comes: ``KeyError``, ``SystemExit``, or only at
the first word that the files do not know. All commands build a BPE by ``encoders.build_bpe``.
"""

from __future__ import annotations

import functools
import io
import sys
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, Callable

from fairseq.data import encoders
from fairseq.data.encoders import gpt2_bpe, gpt2_bpe_utils
from fairseq.data.encoders.subword_nmt_bpe import SubwordNMTBPE

from ..errors import MemtxError
from .text_files import read_text


def check_piece_files() -> None:
    """Put the checks around the functions that build a BPE and that turn numbers into text."""
    if hasattr(encoders.build_bpe, "__wrapped__"):
        return
    unchecked = encoders.build_bpe

    @functools.wraps(unchecked)
    def build_bpe(settings, *args, **kwargs):
        try:
            with redirect_stderr(io.StringIO()) as said:
                bpe = unchecked(settings, *args, **kwargs)
                if isinstance(bpe, SubwordNMTBPE):
                    bpe.encode("word")  # of a version of the codes that the package knows
        except MemtxError:
            raise
        except (Exception, SystemExit) as cause:  # whatever comes
            told = " ".join((said.getvalue() or str(cause) or repr(cause)).split())[-200:]
            raise MemtxError(f"--bpe cannot be used: {told}: check its flags and files") from cause
        sys.stderr.write(said.getvalue())
        return bpe

    encoders.build_bpe = build_bpe
    gpt2_bpe.get_encoder = checked_encoder
    for name in ("encode", "decode"):
        setattr(gpt2_bpe.GPT2BPE, name, _checked(getattr(gpt2_bpe.GPT2BPE, name)))


def checked_encoder(encoder_json: str, vocab_bpe: str) -> gpt2_bpe_utils.Encoder:
    """GPT-2's encoder, whose two files fit each other.

    Raises:
        MemtxError: if they do not, or cannot be read.
    """
    try:
        encoder = gpt2_bpe_utils.get_encoder(encoder_json, vocab_bpe)
        told = _misfit(encoder, read_text(Path(vocab_bpe), "copy it again"))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as cause:
        told = " ".join(str(cause).split())[:200]
    if told:
        raise MemtxError(
            f"{encoder_json} and {vocab_bpe} are not the two files of one BPE of GPT-2's kind "
            f"({told}): copy both again from one model"
        )
    return encoder


def _misfit(encoder: gpt2_bpe_utils.Encoder, merges: str) -> str | None:
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


def _checked(unchecked: Callable[[Any, str], str]) -> Callable[[Any, str], str]:
    """`GPT2BPE.encode` or ``decode``, which ends in one line at what the files do not know."""

    @functools.wraps(unchecked)
    def checked(bpe: gpt2_bpe.GPT2BPE, text: str) -> str:
        try:
            return unchecked(bpe, text)
        except (ValueError, TypeError, KeyError) as cause:
            raise MemtxError(
                f"--bpe gpt2 has no piece for {_unknown(bpe, text, cause)!r}: give the "
                "encoder.json and vocab.bpe that the dict.txt was made with"
            ) from cause

    return checked


def _unknown(bpe: gpt2_bpe.GPT2BPE, text: str, cause: Exception) -> str:
    if isinstance(cause, KeyError):
        return str(cause.args[0])[:40]
    known = {str(number) for number in bpe.bpe.decoder} | {"<unk>", "<mask>"}
    return next((token for token in text.split() if token not in known), text)[:40]
