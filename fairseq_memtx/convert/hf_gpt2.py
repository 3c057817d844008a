r"""A Hugging Face GPT-2 becomes a folder that fairseq loads as `rmt_lm`, and back.

The folder of Hugging Face has ``config.json``, the weights (``model.safetensors`` or
``pytorch_model.bin``) and the tokenizer (``vocab.json`` and ``merges.txt``, or ``tokenizer.json``).
The folder that is written has

    model.pt                a checkpoint of `rmt_lm`, without memory
    dict.txt                the dictionary, for ``fairseq-preprocess --only-source --srcdict``
    encoder.json vocab.bpe  for ``--bpe gpt2 --gpt2-encoder-json FILE --gpt2-vocab-bpe FILE``
    vocab.json merges.txt   Hugging Face's tokenizer, for the way back

**Use.** ``--finetune-from-model OUTPUT/model.pt`` starts ``rmt_lm`` from it, with the flags that
are printed; ``--memory-tokens`` and ``--layer-memory`` add memory. A segment has its positions from
the first on, and so at most ``n_positions`` tokens.

**Memory.** ``--memory-weights`` gives a state dict of the published RMT or ARMT, see
`published_gpt2`: its weights are taken in place of those in the folder.

**Exact** are the probabilities of all words. ``<|endoftext|>`` is ``</s>``, with which fairseq
begins every text; ``<s>``, ``<pad>`` and ``<unk>`` have rows of zeros and, by
``--predict-words-only``, no probability.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import torch

from ..errors import MemtxError
from ..models.rmt_flags import RmtLanguageModelConfig, positions
from ..written_aside import folder_aside
from .gpt2_words import read_words
from .hf_gpt2_weights import BASE, UNUSED, ours_from_hugging_face
from .hugging_face import (
    NORM_EPSILON,
    as_flags,
    norm_note,
    read_config,
    read_file,
    read_weights,
)
from .published_gpt2 import take_memory
from .rmt_lm import check_fits, configuration, untrained

END = "<|endoftext|>"
FIRST = [None, None, END, None]  # in place of <s> <pad> </s> <unk>, three of which GPT-2 has not
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
# What a configuration need not say.
DEFAULTS = {
    "n_inner": None,
    "activation_function": "gelu_new",
    **dict.fromkeys(SHARES, 0.1),
    "layer_norm_epsilon": NORM_EPSILON,
    "tie_word_embeddings": True,
}
# Hugging Face's name of a setting, and ours.
SETTINGS = {
    "n_layer": "decoder_layers",
    "n_embd": "decoder_embed_dim",
    "n_inner": "decoder_ffn_embed_dim",
    "n_head": "decoder_attention_heads",
    "n_positions": "max_target_positions",
    "resid_pdrop": "dropout",
    "attn_pdrop": "attention_dropout",
    "tie_word_embeddings": "share_decoder_input_output_embed",
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
    """Convert by the options of ``fairseq-memtx convert hf-gpt2``."""
    folder, output = options.folder, options.output
    if output.exists():
        raise MemtxError(f"{output} exists: delete it, or give another name")
    config = read_gpt2(folder)
    words = read_words(folder, config["vocab_size"], "GPT-2", FIRST, [])
    if options.memory_weights:
        weights = read_file(options.memory_weights, BASE, UNUSED)
        memory, settings = take_memory(weights, config["n_embd"], config["n_positions"])
    else:
        weights, memory, settings = read_weights(folder, BASE, UNUSED), {}, {}
    own = ours_from_hugging_face(weights, config, words.rows) | memory
    settings = model_settings(config) | settings
    length = segment_length(options.segment_length, settings)
    if options.without_correction:
        settings["associative_correction"] = False
    cfg = configuration(str(output), length, **{"memory_tokens": 0, **settings})
    check_fits(weights.path, own, cfg, words.dictionary())
    with folder_aside(output) as made:
        words.write(made)
        words.tokenizer.write(made)
        torch.save(untrained(cfg, own), made / "model.pt")
    for note in not_the_same(config):
        print(f"warning: {note}", file=sys.stderr)
    flags = as_flags(settings) + " --no-associative-correction" * options.without_correction
    print(f"wrote {output}: {len(words.rows)} words; build the model with\n  {flags}")


def read_gpt2(folder: Path) -> dict[str, Any]:
    """The settings of the model; those of one that fairseq's decoder cannot be are refused."""
    config = DEFAULTS | read_config(folder, "GPT-2", SIZES, SHARES, ONLY)
    path, activation, inner = (
        folder / "config.json",
        config["activation_function"],
        config["n_inner"],
    )
    if activation not in ACTIVATIONS:
        raise MemtxError(
            f"{path} has activation_function {activation}: fairseq has {', '.join(ACTIVATIONS)}"
        )
    config["n_inner"] = inner = 4 * config["n_embd"] if inner is None else inner
    if type(inner) is not int or inner < 1:
        raise MemtxError(f"{path} has n_inner {str(inner)[:40]}: correct it")
    if config["n_embd"] % config["n_head"]:
        raise MemtxError(f"{path} has n_head {config['n_head']} that does not divide n_embd")
    return config


def model_settings(config: dict[str, Any]) -> dict[str, Any]:
    """The settings of `rmt_lm`."""
    activation = {"activation_fn": ACTIVATIONS[config["activation_function"]]}
    return FORM | {ours: config[theirs] for theirs, ours in SETTINGS.items()} | activation


def segment_length(wanted: int | None, settings: dict[str, Any]) -> int:
    """Tokens of a segment: as many as are wanted, or as there are positions for."""
    model = RmtLanguageModelConfig(tokens_per_sample=0, **settings)
    longest = settings["max_target_positions"] - positions(model)
    if not 0 < (wanted or longest) <= longest:
        raise MemtxError(
            f"segments of {wanted or 1} tokens have no room: there are positions for {longest}, "
            "give a shorter --segment-length"
        )
    return wanted or longest


def not_the_same(config: dict[str, Any]) -> list[str]:
    """What is not the same any more."""
    notes = norm_note(config, "layer_norm_epsilon")
    embedded, dropout = config["embd_pdrop"], config["resid_pdrop"]
    if embedded != dropout:
        notes.append(f"embd_pdrop {embedded} was left out: fairseq has one --dropout, {dropout}")
    return notes
