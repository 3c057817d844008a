"""Files that say how words are cut into pieces are looked at when a ``--bpe`` is built from them.

fairseq and the packages behind it end in whatever comes: ``KeyError``, ``SystemExit``, or only at
the first word that the files do not know. All commands build a BPE by ``encoders.build_bpe``.
"""

import io
import sys
from contextlib import redirect_stderr
from typing import Any

from fairseq.data.encoders.subword_nmt_bpe import SubwordNMTBPE

from ..errors import MemtxError
from ..text.gpt2 import read_encoder
from . import around

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/1617"
GPT2 = "fairseq.data.encoders.gpt2_bpe"


@around("fairseq.data.encoders:build_bpe", told_by="choice")
def mend(unchecked: Any, settings: Any, *args: Any, **kwargs: Any) -> Any:
    """Put the checks around the functions that build a BPE and that turn numbers into text."""
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


@mend.also(f"{GPT2}:get_encoder")
def _read(unchecked: Any, encoder: str, pieces: str) -> Any:
    return read_encoder(encoder, pieces)


@mend.also(f"{GPT2}:GPT2BPE.encode", f"{GPT2}:GPT2BPE.decode")
def _apply(unchecked: Any, bpe: Any, text: str) -> str:
    """Which ends in one line at what the files do not know."""
    try:
        return unchecked(bpe, text)
    except MemtxError as cause:
        raise MemtxError(f"--bpe gpt2: {cause}") from cause
    except (ValueError, TypeError, KeyError) as cause:
        raise MemtxError(
            f"--bpe gpt2 has no piece {_unknown(bpe, text)!r}: give the encoder.json and "
            "vocab.bpe that the dict.txt was made with"
        ) from cause


def _unknown(bpe: Any, text: str) -> str:
    known = {str(number) for number in bpe.bpe.decoder} | {"<unk>", "<mask>"}
    return next((token for token in text.split() if token not in known), text)[:40]
