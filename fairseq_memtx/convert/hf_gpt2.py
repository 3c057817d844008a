r"""A Hugging Face GPT-2 becomes a folder that fairseq loads as `rmt_lm`, and back.

The folder of Hugging Face has ``config.json``, the weights (``model.safetensors`` or
``pytorch_model.bin``) and the tokenizer (``vocab.json`` and ``merges.txt``, or ``tokenizer.json``).
The folder that is written has

    model.pt                a checkpoint of `rmt_lm` without memory
    dict.txt                the dictionary, for ``fairseq-preprocess --only-source --srcdict``
    encoder.json vocab.bpe  for ``--bpe gpt2 --gpt2-encoder-json FILE --gpt2-vocab-bpe FILE``
    vocab.json merges.txt   Hugging Face's tokenizer, for the way back

**Use.** ``--finetune-from-model OUTPUT/model.pt`` starts ``rmt_lm`` from it, with the flags that
are printed; ``--memory-tokens`` and ``--layer-memory`` add memory. A segment has its positions from
the first on, and so at most ``n_positions`` tokens.

**Exact** are the probabilities of all words. ``<|endoftext|>`` is ``</s>``, with which fairseq
begins every text; ``<s>``, ``<pad>`` and ``<unk>`` have rows of zeros and, by
``--predict-words-only``, no probability.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from fairseq import checkpoint_utils

from ..errors import MemtxError
from ..written_aside import folder_aside
from .gpt2_words import write_merges
from .hf_gpt2_weights import (
    EMBEDDING,
    FIRST_POSITION,
    POSITIONS,
    UNUSED,
    hugging_face_from_ours,
    ours_from_hugging_face,
)
from .hf_gpt2_words import END, read_words
from .hugging_face import NORM_EPSILON, as_flags, norm_note, read_config, read_weights
from .rmt_lm import check_fits, configuration, untrained
from .weights import Weights

SIZES = ["vocab_size", "n_embd", "n_layer", "n_head", "n_positions"]
SHARES = ["resid_pdrop", "embd_pdrop", "attn_pdrop"]
# Settings that fairseq's decoder has not got: the only value that can be converted.
ONLY = {
    "model_type": "gpt2",
    "add_cross_attention": False,
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "reorder_and_upcast_attn": False,
}
# Hugging Face's name of an activation, and fairseq's; the first of several is written.
ACTIVATIONS = {
    "gelu_new": "gelu_accurate",
    "gelu_pytorch_tanh": "gelu_accurate",
    "gelu_fast": "gelu_accurate",
    "gelu": "gelu",
    "relu": "relu",
    "tanh": "tanh",
}
# What a decoder has to be for Hugging Face's GPT-2 to be the same.
FORM = {
    "backbone": "transformer",
    "decoder_normalize_before": True,
    "decoder_learned_pos": True,
    "no_scale_embedding": True,
    "predict_words_only": True,
    "no_decoder_final_norm": False,
}


def convert(options: argparse.Namespace) -> None:
    """Convert the model in ``folder``, and write ``output``.

    Args:
        options: those of ``fairseq-memtx convert hf-gpt2``.

    Raises:
        MemtxError: if it cannot be converted, or ``output`` is there.
    """
    if options.output.exists():
        raise MemtxError(f"{options.output} exists: delete it, or give another name")
    other_side = to_hugging_face if options.reverse else to_ours
    other_side(options)


def to_ours(options: argparse.Namespace) -> None:
    """A folder for fairseq.

    Raises:
        MemtxError: if the model is none that fairseq's decoder can be.
    """
    folder, output = options.folder, options.output
    config = read_gpt2(folder)
    words, tokenizer = read_words(folder, config["vocab_size"])
    weights = read_weights(folder, UNUSED)
    path = weights.path
    tied = config.get("tie_word_embeddings", True)
    settings = model_settings(config, tied)
    own = ours_from_hugging_face(weights, config["n_layer"], words.rows, tied)
    cfg = configuration(str(output), config["n_positions"], **settings, memory_tokens=0)
    check_fits(path, own, cfg, words.dictionary())
    with folder_aside(output) as made:
        words.write(made)
        write_tokenizer(made, tokenizer.rows, tokenizer.merges)
        torch.save(untrained(cfg, own), made / "model.pt")
    for note in not_the_same(config):
        print(f"warning: {note}", file=sys.stderr)
    print(f"wrote {output}: {len(words.rows)} words; build the model with\n  {as_flags(settings)}")


def read_gpt2(folder: Path) -> dict[str, Any]:
    """The settings of the model.

    Raises:
        MemtxError: if they are of a model that fairseq's decoder cannot be.
    """
    config = read_config(folder, "GPT-2", SIZES, SHARES, ONLY)
    path, activation = folder / "config.json", config.get("activation_function", "gelu_new")
    if activation not in ACTIVATIONS:
        raise MemtxError(
            f"{path} has activation_function {activation}: fairseq has {', '.join(ACTIVATIONS)}"
        )
    inner = config.get("n_inner")
    if inner is not None and (type(inner) is not int or inner < 1):
        raise MemtxError(f"{path} has n_inner {str(inner)[:40]}: correct it")
    if config["n_embd"] % config["n_head"]:
        raise MemtxError(f"{path} has n_head {config['n_head']} that does not divide n_embd")
    return config


def model_settings(config: dict[str, Any], tied: bool) -> dict[str, Any]:
    """The settings of `rmt_lm`."""
    return {
        **FORM,
        "decoder_layers": config["n_layer"],
        "decoder_embed_dim": config["n_embd"],
        "decoder_ffn_embed_dim": config.get("n_inner") or 4 * config["n_embd"],
        "decoder_attention_heads": config["n_head"],
        "max_target_positions": config["n_positions"],
        "activation_fn": ACTIVATIONS[config.get("activation_function", "gelu_new")],
        "dropout": config.get("resid_pdrop", 0.1),
        "attention_dropout": config.get("attn_pdrop", 0.1),
        "share_decoder_input_output_embed": tied,
    }


def not_the_same(config: dict[str, Any]) -> list[str]:
    """What is not the same any more."""
    notes = norm_note(config.get("layer_norm_epsilon", 1e-5), "layer_norm_epsilon")
    embedded, dropout = config.get("embd_pdrop", 0.1), config.get("resid_pdrop", 0.1)
    if embedded != dropout:
        notes.append(f"embd_pdrop {embedded} was left out: fairseq has one --dropout, {dropout}")
    return notes


def to_hugging_face(options: argparse.Namespace) -> None:
    """A folder of Hugging Face.

    Raises:
        MemtxError: if the checkpoint is of a model that is no GPT-2.
    """
    path = options.folder / "model.pt" if options.folder.is_dir() else options.folder
    if not path.is_file():
        raise MemtxError(f"there is no file {path}: give a checkpoint of rmt_lm")
    state = checkpoint_utils.load_checkpoint_to_cpu(str(path))
    model, own = state["cfg"].model, Weights(path, state["model"])
    check_is_gpt2(path, model)
    # Of fairseq's four symbols GPT-2 has one.
    words, tokenizer = read_words(options.tokenizer or path.parent, len(own[EMBEDDING]) - 3)
    config = {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": len(tokenizer.rows),
        "n_positions": len(own[POSITIONS]) - FIRST_POSITION,
        "n_embd": model.decoder_embed_dim,
        "n_layer": model.decoder_layers,
        "n_head": model.decoder_attention_heads,
        "n_inner": model.decoder_ffn_embed_dim,
        "activation_function": next(
            name for name, ours in ACTIVATIONS.items() if ours == str(model.activation_fn)
        ),
        "resid_pdrop": model.dropout,
        "embd_pdrop": model.dropout,
        "attn_pdrop": model.attention_dropout,
        "layer_norm_epsilon": NORM_EPSILON,
        "bos_token_id": tokenizer.rows[END],
        "eos_token_id": tokenizer.rows[END],
    }
    ours = sorted((row, index) for index, row in enumerate(words.rows) if row >= 0)
    weights = hugging_face_from_ours(own, config["n_layer"], [index for _, index in ours])
    config["tie_word_embeddings"] = "lm_head.weight" not in weights
    from safetensors.torch import save_file

    with folder_aside(options.output) as made:
        write_tokenizer(made, tokenizer.rows, tokenizer.merges)
        (made / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
        save_file(weights, made / "model.safetensors", {"format": "pt"})
    print(f"wrote {options.output}: {len(tokenizer.rows)} words")


def check_is_gpt2(path: Path, model: Any) -> None:
    """Refuse a checkpoint that Hugging Face's GPT-2 cannot be.

    Args:
        path: of the checkpoint.
        model: its settings.
    """
    if str(getattr(model, "_name", None)) != "rmt_lm":
        raise MemtxError(f"{path} is no rmt_lm: only such a model becomes a GPT-2")
    if model.memory_tokens:
        raise MemtxError(
            f"{path} has {model.memory_tokens} memory tokens, for which Hugging Face's GPT-2 has "
            "no place: only a model without memory goes there"
        )
    for name, needed in FORM.items():
        found = getattr(model, name)
        if str(found) != str(needed):
            flag = f"--{name.replace('_', '-')}"
            raise MemtxError(f"{path} has {flag} {found}, and a GPT-2 has {needed}")
    if str(model.activation_fn) not in ACTIVATIONS.values():
        raise MemtxError(
            f"{path} has --activation-fn {model.activation_fn}, which no GPT-2 of Hugging Face has"
        )


def write_tokenizer(folder: Path, rows: dict[str, int], merges: list[str]) -> None:
    """Write ``vocab.json`` and ``merges.txt``."""
    (folder / "vocab.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    write_merges(folder / "merges.txt", merges)
