"""Cut text into the tokens that a pre-trained model knows, as the files beside it say.

A folder that ``prepare_language_model.py --unit pieces`` wrote has ``bpecodes``, one that
``convert_hf_roberta.py`` wrote has ``encoder.json`` and ``vocab.bpe``. One that has neither is of a
model whose tokens are words. All have ``dict.txt``.
"""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr
from pathlib import Path
from typing import Callable

from prepared_folder import RECORD, PrepareError

CutText = Callable[[str], str]


class PretrainedText:
    """How text is cut, and the files that say so.

    Args:
        folder: of the model's data, or of the model.
        raw_text: whether words have still to be told apart from punctuation; a BPE on bytes does
            that by itself.
        lowercase: whether to lower-case, even where the folder's own text is not.

    Raises:
        PrepareError: if the folder is not such a folder.
    """

    def __init__(self, folder: Path, raw_text: bool, lowercase: bool) -> None:
        self.dictionary = folder / "dict.txt"
        if not self.dictionary.is_file():
            raise PrepareError(
                f"missing file: {self.dictionary}; give the folder that the model was trained on "
                "as --pretrained"
            )
        codes, gpt2 = folder / "bpecodes", [folder / "encoder.json", folder / "vocab.bpe"]
        if codes.is_file():
            self.unit, self.files, cut = "pieces", [codes], subword_nmt(codes, self.dictionary)
        elif all(file.is_file() for file in gpt2):
            self.unit, self.files, cut = "bytes", gpt2, byte_pairs(*gpt2)
        else:
            self.unit, self.files, cut = "words", [], join_words
        self.lowercase = lowercase or is_lowercase(folder)
        self.raw_text = raw_text and self.unit != "bytes"
        self._steps: list[CutText] = [cut]
        if self.lowercase:
            self._steps.insert(0, str.lower)
        if self.raw_text:
            self._steps.insert(0, english_words())

    def cut(self, text: str) -> str:
        """The tokens of a sentence, with spaces between them."""
        for step in self._steps:
            text = step(text)
        return text


def is_lowercase(folder: Path) -> bool:
    """Whether the record of a prepared folder says that its text is lower-cased."""
    record = folder / RECORD
    try:
        return record.is_file() and bool(json.loads(record.read_text())["settings"]["lowercase"])
    except KeyError:
        return False
    except (ValueError, TypeError) as error:
        raise PrepareError(f"{record}: damaged file ({error})") from error


def join_words(text: str) -> str:
    """What stands between white space."""
    return " ".join(text.split())


def subword_nmt(codes: Path, dictionary: Path) -> CutText:
    """Cut words by a BPE that subword-nmt learnt, into pieces that the dictionary has."""
    from word_pieces import BPE  # with packages that nothing else here needs

    lines = dictionary.read_text(encoding="utf-8").splitlines()
    known = {line.rsplit(" ", 1)[0] for line in lines}
    noise = io.StringIO()
    try:
        with codes.open(encoding="utf-8") as file, redirect_stderr(noise):
            pieces = BPE(file, vocab=known)
    except (Exception, SystemExit) as error:
        told = noise.getvalue().split("\n")[0] or error
        raise PrepareError(f"{codes}: no codes of subword-nmt ({told})") from error
    return lambda text: " ".join(pieces.segment_tokens(text.split()))


def byte_pairs(encoder: Path, merges: Path) -> CutText:
    """Cut text by GPT-2's BPE, whose tokens are numbers."""
    from fairseq.data.encoders.gpt2_bpe_utils import get_encoder

    try:
        bpe = get_encoder(str(encoder), str(merges))
    except ValueError as error:
        raise PrepareError(f"{encoder} or {merges}: damaged file ({error})") from error
    return lambda text: " ".join(map(str, bpe.encode(text)))


def english_words() -> CutText:
    """Tell words and punctuation apart about as WikiText does: ``well @-@ known , " too "``."""
    from word_pieces import MosesPunctNormalizer, MosesTokenizer

    normalizer, tokenizer = MosesPunctNormalizer("en"), MosesTokenizer("en")
    return lambda text: tokenizer.tokenize(
        normalizer.normalize(text), aggressive_dash_splits=True, return_str=True, escape=False
    )
