"""The weights of a Hugging Face GPT-2 under the names of `rmt_lm`, and back.

Shapes: ``V`` words of Hugging Face's, ``P`` positions, ``C`` channels, ``F`` of the feed-forward
layers.
"""

import re
from itertools import product
from typing import Any

import torch
from torch import Tensor

from ..errors import MemtxError
from .weights import Weights, picked_rows

EMBEDDING, OUTPUT = "decoder.embed_tokens.weight", "decoder.output_projection.weight"
POSITIONS = "decoder.embed_positions.weight"
FIRST_POSITION = 2  # of fairseq's table: after the row of padding
BASE = "transformer."
# Hugging Face's name, and fairseq's. A matrix of one is the other's on its side.
NAMES = {
    "transformer.h.#.ln_1": "decoder.layers.#.self_attn_layer_norm",
    "transformer.h.#.attn.c_proj": "decoder.layers.#.self_attn.out_proj",
    "transformer.h.#.ln_2": "decoder.layers.#.final_layer_norm",
    "transformer.h.#.mlp.c_fc": "decoder.layers.#.fc1",
    "transformer.h.#.mlp.c_proj": "decoder.layers.#.fc2",
    "transformer.ln_f": "decoder.layer_norm",
}
PROJECTIONS = ("q_proj", "k_proj", "v_proj")  # in the order of ``c_attn``
# The causal mask, which old versions saved.
UNUSED = re.compile(r"\.attn\.(bias|masked_bias)$")


def ours_from_hugging_face(
    weights: Weights, config: dict[str, Any], rows: list[int]
) -> dict[str, Tensor]:
    """Our weights; Hugging Face's, of such a configuration, are used up, or else refused.

    Our words have these rows of theirs, -1 for what GPT-2 has not.
    """
    channels = config["n_embd"]
    words = weights.take("transformer.wte.weight", config["vocab_size"], channels)
    own = weights.take_named(NAMES)
    for layer, (kind, shape) in product(
        range(config["n_layer"]), [("weight", (channels, 3 * channels)), ("bias", (3 * channels,))]
    ):
        joint = weights.take(f"transformer.h.{layer}.attn.c_attn.{kind}", *shape)
        for name, part in zip(PROJECTIONS, joint.chunk(3, dim=-1)):
            own[f"decoder.layers.{layer}.self_attn.{name}.{kind}"] = part
    own = {name: weight.t().clone() for name, weight in own.items()}
    positions = weights.take("transformer.wpe.weight", -1, channels)
    own[POSITIONS] = torch.cat([positions.new_zeros(FIRST_POSITION, channels), positions])
    own["decoder.version"] = torch.tensor([3.0])
    own[EMBEDDING] = picked_rows(words, rows, 0.0)
    if not config["tie_word_embeddings"]:
        own[OUTPUT] = picked_rows(weights.take("lm_head.weight", *words.shape), rows, 0.0)
    elif torch.equal(weights.pop("lm_head.weight", words), words):
        own[OUTPUT] = own[EMBEDDING]
    else:
        raise MemtxError(
            f"{weights.path} has lm_head.weight of its own, and config.json says that it is tied: "
            "set tie_word_embeddings to false, or take it out"
        )
    weights.finish()
    return own


def hugging_face_from_ours(own: Weights, layers: int, rows: list[int]) -> dict[str, Tensor]:
    """Hugging Face's weights; ours, of so many layers, are used up, or else refused.

    Their words have these rows of ours. ``lm_head.weight`` is there if it is not tied.
    """
    words = own.take(EMBEDDING, -1, -1)
    channels = words.size(1)
    weights = own.take_named({ours: theirs for theirs, ours in NAMES.items()})
    for layer in range(layers):
        for kind, shape in (("weight", (channels, channels)), ("bias", (channels,))):
            before = f"decoder.layers.{layer}.self_attn"
            parts = [own.take(f"{before}.{name}.{kind}", *shape) for name in PROJECTIONS]
            weights[f"transformer.h.{layer}.attn.c_attn.{kind}"] = torch.cat(parts)
    weights = {name: weight.t().contiguous() for name, weight in weights.items()}
    positions = own.take(POSITIONS, -1, channels)[FIRST_POSITION:]
    weights["transformer.wpe.weight"] = positions.clone()
    weights["transformer.wte.weight"] = words[rows]
    output = own.take(OUTPUT, *words.shape)
    if not torch.equal(output, words):
        weights["lm_head.weight"] = output[rows]
    own.pop("decoder.version", None)
    own.finish()
    return weights
