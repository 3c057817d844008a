"""What small folders of Hugging Face are made of, and how they are spoilt."""

import json
from pathlib import Path
from typing import Any

import torch
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
