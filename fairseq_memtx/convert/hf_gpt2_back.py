"""An `rmt_lm` that is a GPT-2 becomes a folder of Hugging Face: what `hf_gpt2` does, undone."""

import argparse
import json
from pathlib import Path
from typing import Any

from fairseq import checkpoint_utils

from ..errors import MemtxError
from ..written_aside import folder_aside
from .gpt2_words import read_words
from .hf_gpt2 import ACTIVATIONS, END, FIRST, FORM, SETTINGS
from .hf_gpt2_weights import EMBEDDING, FIRST_POSITION, POSITIONS, hugging_face_from_ours
from .hugging_face import NORM_EPSILON
from .weights import Weights


def convert(options: argparse.Namespace) -> None:
    """Convert by the options of ``fairseq-memtx convert hf-gpt2 --reverse``."""
    if options.output.exists():
        raise MemtxError(f"{options.output} exists: delete it, or give another name")
    path = options.folder / "model.pt" if options.folder.is_dir() else options.folder
    if not path.is_file():
        raise MemtxError(f"there is no file {path}: give a checkpoint of rmt_lm")
    state = checkpoint_utils.load_checkpoint_to_cpu(str(path))
    model, own = state["cfg"].model, Weights(path, state["model"])
    check_is_gpt2(path, model)
    # Of fairseq's four symbols GPT-2 has one.
    count = len(own.look(EMBEDDING, -1, -1)) - 3
    words = read_words(options.tokenizer or path.parent, count, "GPT-2", FIRST, [])
    tokenizer = words.tokenizer
    config = {theirs: getattr(model, ours) for theirs, ours in SETTINGS.items()} | {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": len(tokenizer.rows),
        "n_positions": len(own.look(POSITIONS, -1, -1)) - FIRST_POSITION,
        "activation_function": next(
            name for name, ours in ACTIVATIONS.items() if ours == str(model.activation_fn)
        ),
        "embd_pdrop": model.dropout,
        "layer_norm_epsilon": NORM_EPSILON,
        "bos_token_id": tokenizer.rows[END],
        "eos_token_id": tokenizer.rows[END],
    }
    ours = sorted((row, index) for index, row in enumerate(words.rows) if row >= 0)
    weights = hugging_face_from_ours(own, config["n_layer"], [index for _, index in ours])
    config["tie_word_embeddings"] = "lm_head.weight" not in weights
    from safetensors.torch import save_file

    with folder_aside(options.output) as made:
        tokenizer.write(made)
        (made / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
        save_file(weights, made / "model.safetensors", {"format": "pt"})
    print(f"wrote {options.output}: {len(tokenizer.rows)} words")


def check_is_gpt2(path: Path, model: Any) -> None:
    """Refuse a checkpoint of settings that Hugging Face's GPT-2 cannot have."""
    if str(getattr(model, "_name", None)) != "rmt_lm":
        raise MemtxError(f"{path} is no rmt_lm: only such a model becomes a GPT-2")
    if model.memory_tokens:
        raise MemtxError(
            f"{path} has {model.memory_tokens} memory tokens, for which Hugging Face's GPT-2 has "
            "no place: only a model without memory goes there"
        )
    for name, needed in FORM.items():
        found = getattr(model, name, None)  # a flag may be younger than the model
        if str(found) != str(needed):
            flag = f"--{name.replace('_', '-')}"
            raise MemtxError(f"{path} has {flag} {found}, and a GPT-2 has {needed}")
    if str(model.activation_fn) not in ACTIVATIONS.values():
        raise MemtxError(
            f"{path} has --activation-fn {model.activation_fn}, which no GPT-2 of Hugging Face has"
        )
