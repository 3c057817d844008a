"""Files that say how words are cut into pieces are looked at when a ``--bpe`` is built from them.

fairseq and the packages behind it end in whatever comes: ``KeyError``, ``SystemExit``, or only at
the first word that the files do not know. All commands build a BPE by ``encoders.build_bpe``.
"""

import functools
import io
import sys
from contextlib import redirect_stderr
from typing import Any, Callable

from fairseq.data import encoders
from fairseq.data.encoders import gpt2_bpe
from fairseq.data.encoders.subword_nmt_bpe import SubwordNMTBPE

from ..errors import MemtxError
from ..text import read_encoder
from . import says

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/1617"


def needed() -> bool:
    return says(encoders.build_bpe, "choice")


def mend() -> None:
    """Put the checks around the functions that build a BPE and that turn numbers into text."""
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
            told = " ".join((said.getvalue() or str(cause) or repr(cause)).split())[-400:]
            raise MemtxError(f"--bpe cannot be used: {told}: check its flags and files") from cause
        sys.stderr.write(said.getvalue())
        return bpe

    encoders.build_bpe = build_bpe
    gpt2_bpe.get_encoder = read_encoder
    for name in ("encode", "decode"):
        setattr(gpt2_bpe.GPT2BPE, name, _checked(getattr(gpt2_bpe.GPT2BPE, name)))


def _checked(unchecked: Callable[[Any, str], str]) -> Callable[[Any, str], str]:
    """`GPT2BPE.encode` or ``decode``, which ends in one line at what the files do not know."""

    @functools.wraps(unchecked)
    def checked(bpe: gpt2_bpe.GPT2BPE, text: str) -> str:
        try:
            return unchecked(bpe, text)
        except MemtxError as cause:
            raise MemtxError(f"--bpe gpt2: {cause}") from cause
        except (ValueError, TypeError, KeyError) as cause:
            raise MemtxError(
                f"--bpe gpt2 has no piece {_unknown(bpe, text)!r}: give the encoder.json and "
                "vocab.bpe that the dict.txt was made with"
            ) from cause

    return checked


def _unknown(bpe: gpt2_bpe.GPT2BPE, text: str) -> str:
    known = {str(number) for number in bpe.bpe.decoder} | {"<unk>", "<mask>"}
    return next((token for token in text.split() if token not in known), text)[:40]
