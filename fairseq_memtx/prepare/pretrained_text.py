"""Cut text into the tokens that a pre-trained model knows, as the files beside it say.

A folder that ``prepare language-model --unit pieces`` wrote has ``bpecodes``, one that ``convert
hf-roberta`` wrote has ``encoder.json`` and ``vocab.bpe``. One that has neither is of a model whose
tokens are words. All have ``dict.txt``.
"""

import shutil
from pathlib import Path

from ..errors import MemtxError
from ..text.folder import FolderText


class PretrainedText:
    """How text is cut, and the files of a folder that say so, of the model or of its data.

    In ``raw_text`` words have still to be told apart from punctuation; a BPE on bytes does that by
    itself. ``lowercase`` text is made so even where the folder's own is not.
    """

    def __init__(self, folder: Path, raw_text: bool, lowercase: bool) -> None:
        self.dictionary = folder / "dict.txt"
        if not self.dictionary.is_file():
            raise MemtxError(
                f"missing file: {self.dictionary}; give the folder that the model was trained on "
                "as --pretrained"
            )
        codes, vocabulary = folder / "bpecodes", folder / "bpevocab"
        gpt2 = [folder / "encoder.json", folder / "vocab.bpe"]
        unit, self.files = "words", list[Path]()
        if codes.is_file():
            unit, self.files = "pieces", [codes, *[vocabulary] * vocabulary.is_file()]
        elif all(file.is_file() for file in gpt2):
            unit, self.files = "gpt2", gpt2
        record = FolderText.read(folder) or FolderText(folder, unit)
        if record.unit in ("characters", "bytes"):
            raise MemtxError(f"{folder} has {record.unit} for tokens: give one of words or pieces")
        self.punctuation_apart = record.punctuation_apart
        lowercase = lowercase or record.lowercase
        self.rules = record.change(unit=unit, lowercase=lowercase)
        if raw_text and unit != "gpt2":
            # About as WikiText has it: well @-@ known , " too "
            self.rules = self.rules.change(moses=True, dash_splits=True, escape=False)
        self.unit = "bytes" if unit == "gpt2" else unit
        self.raw_text, self.lowercase = self.rules.moses, lowercase
        self.cut = self.rules.cutter()  # the tokens of a sentence, with spaces between them

    def write(self, folder: Path) -> None:
        """Put the files of the BPE into the folder that was cut with them."""
        for file in self.files:
            shutil.copyfile(file, folder / file.name)
