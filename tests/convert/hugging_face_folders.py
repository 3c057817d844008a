"""What small folders of Hugging Face are made of, and how they are spoilt."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import succeed
from fairseq.data.encoders.gpt2_bpe_utils import bytes_to_unicode

MERGES = ["Ġ t", "h e", "Ġt he", "i n", "e r", "Ġ w", "o r", "Ġw or", "l d", "Ġwor ld", "Ã ¤"]
PIECES = [*bytes_to_unicode().values(), *(merge.replace(" ", "") for merge in MERGES)]
TEXTS = [
    "the world in other words",
    " Hello, wörld!  It's the 2nd 'world'\tof\nthem … 😀",
    "a",
    "",
]


def write_tokenizer(folder: Path, words: dict[str, int]) -> None:
    """Put a tokenizer into a folder."""
    (folder / "vocab.json").write_text(json.dumps(words))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES, ""]))


def join_files(folder: Path, merges: list[str] = MERGES) -> None:
    """``tokenizer.json`` in place of the two files, as older transformers wrote it."""
    model = {"vocab": json.loads((folder / "vocab.json").read_text()), "merges": merges}
    (folder / "tokenizer.json").write_text(json.dumps({"model": model, "added_tokens": []}))
    for name in ("vocab.json", "merges.txt"):
        (folder / name).unlink()


def bpe_of(folder: Path) -> dict[str, str]:
    """Settings of fairseq's BPE for what was converted into a folder."""
    files = {"encoder_json": "encoder.json", "vocab_bpe": "vocab.bpe"}
    return {f"gpt2_{name}": str(folder / file) for name, file in files.items()}


def set_config(folder: Path, **settings: Any) -> None:
    """Change ``config.json``; None takes a setting out."""
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **settings}
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


def set_words(folder: Path, words: dict[str, int]) -> None:
    """Another ``vocab.json`` that ``config.json`` agrees with."""
    (folder / "vocab.json").write_text(json.dumps(words))
    set_config(folder, vocab_size=len(words))


def set_weights(folder: Path, **changes: torch.Tensor | None) -> None:
    """Change the weights; None takes one out, ``__`` stands for a dot."""
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    weights = load_file(path)
    weights.update({name.replace("__", "."): weight for name, weight in changes.items()})
    save_file({name: weight for name, weight in weights.items() if weight is not None}, path)


def folders(kind: str, make: Callable[..., Any]) -> tuple[Any, ...]:
    """Fixtures of a kind of model, of which ``make`` writes a small one.

    The package, whose import takes seconds; the model and its folder; what the command makes of it
    and prints; the former alone; and a copy to spoil.
    """

    @pytest.fixture(scope="module")
    def transformers():
        import transformers

        return transformers

    @pytest.fixture(scope="module")
    def published(transformers, tmp_path_factory):
        folder = tmp_path_factory.mktemp("hugging face") / "model"
        return make(transformers, folder), folder

    @pytest.fixture(scope="module")
    def printed(published, tmp_path_factory) -> tuple[Path, str]:
        made = tmp_path_factory.mktemp("converted") / "a folder/model"
        return made, succeed("fairseq-memtx", "convert", kind, published[1], made)

    @pytest.fixture(scope="module")
    def converted(printed) -> Path:
        return printed[0]

    @pytest.fixture
    def folder(published, tmp_path) -> Path:
        return Path(shutil.copytree(published[1], tmp_path / "hf"))

    return transformers, published, printed, converted, folder
