"""What a folder is that was given as a folder of binarised text, and is none."""

from __future__ import annotations

import functools
from pathlib import Path

from fairseq.data import data_utils

from ..errors import MemtxError

PREPROCESS = "give the folder that fairseq-preprocess wrote, or run fairseq-preprocess again"


def name_data_folders() -> None:
    """Let fairseq say which folder it found no language pair in, and what that folder is."""
    unnamed = data_utils.infer_language_pair
    if hasattr(unnamed, "__wrapped__"):
        return

    @functools.wraps(unnamed)
    def infer_language_pair(path):
        if not Path(path).is_dir():
            raise MemtxError(what_it_is(Path(path)))
        pair = unnamed(path)
        if None in pair:
            raise MemtxError(
                "the language pair could not be read from the data folder, which has no "
                f"file of one: {what_it_is(Path(path))}, or name the languages with -s and -t"
            )
        return pair

    data_utils.infer_language_pair = infer_language_pair


def what_it_is(folder: Path) -> str:
    """One line about a folder that holds no binarised text, and what makes one of it."""
    if not folder.exists():
        return f"there is no data folder {folder}: {PREPROCESS}"
    if not folder.is_dir():
        return f"{folder} is a file and no data folder: {PREPROCESS}"
    names = {file.name for file in folder.iterdir()}
    endings = {Path(name).suffix for name in names}
    if not names:
        return f"the data folder {folder} is empty: {PREPROCESS}"
    if names & {"config.json", "pytorch_model.bin", "tokenizer.json"} or ".safetensors" in endings:
        return (
            f"{folder} is a model of Hugging Face and no folder of binarised text: "
            "scripts/convert_hf_roberta.py makes a model of fairseq of it, with the dict.txt that "
            "fairseq-preprocess --srcdict takes"
        )
    if ".pt" in endings and not endings & {".bin", ".idx"}:
        return f"{folder} holds checkpoints and no binarised text: {PREPROCESS}"
    if not endings & {".bin", ".idx"}:
        return (
            f"{folder} holds no binarised text: run fairseq-preprocess on the text, or one of "
            "scripts/prepare_*.py, and give the folder that it wrote"
        )
    return f"the data folder {folder} is half-written, or of another task or language: {PREPROCESS}"
