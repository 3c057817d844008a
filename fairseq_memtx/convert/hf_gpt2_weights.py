"""The weights of a Hugging Face GPT-2 under the names of `rmt_lm`, and back.

Shapes: ``V`` words of Hugging Face's, ``P`` positions, ``C`` channels, ``F`` of the feed-forward
layers.
"""

import re
from typing import Any

import torch
from torch import Tensor

from ..errors import MemtxError
from .weights import Weights, picked_rows

EMBEDDING, OUTPUT = "decoder.embed_tokens.weight", "decoder.output_projection.weight"
POSITIONS = "decoder.embed_positions.weight"
FIRST_POSITION = 2  # of fairseq's table: after the row of padding
# Inside a layer: Hugging Face's name, and fairseq's. A matrix of one is the other's on its side.
LAYER = {
    "ln_1": "self_attn_layer_norm",
    "attn.c_proj": "self_attn.out_proj",
    "ln_2": "final_layer_norm",
    "mlp.c_fc": "fc1",
    "mlp.c_proj": "fc2",
}
PROJECTIONS = ("q_proj", "k_proj", "v_proj")  # in the order of ``c_attn``
# The causal mask, which old versions saved.
UNUSED = re.compile(r"\.attn\.(bias|masked_bias)$")


def ours_from_hugging_face(
    weights: Weights, config: dict[str, Any], rows: list[int], tied: bool
) -> dict[str, Tensor]:
    """Our weights; the ones that are given are used up.

    Args:
        weights: of Hugging Face.
        config: Hugging Face's.
        rows: the row of each of our words, -1 for what GPT-2 has not.
        tied: whether words are predicted by the table that they are read from.

    Raises:
        MemtxError: if a weight is missing, has another shape, or is not known.
    """
    base = "transformer." if any(name.startswith("transformer.") for name in weights) else ""
    channels = config["n_embd"]
    words = weights.take(f"{base}wte.weight", config["vocab_size"], channels)
    own = weights.take_layers(f"{base}h", "decoder.layers", LAYER)
    for layer in range(config["n_layer"]):
        joint = f"{base}h.{layer}.attn.c_attn"
        weight = weights.take(f"{joint}.weight", channels, 3 * channels)
        bias = weights.take(f"{joint}.bias", 3 * channels)
        for name, columns, numbers in zip(PROJECTIONS, weight.chunk(3, dim=1), bias.chunk(3)):
            own[f"decoder.layers.{layer}.self_attn.{name}.weight"] = columns
            own[f"decoder.layers.{layer}.self_attn.{name}.bias"] = numbers
    own = {name: weight.t().clone() for name, weight in own.items()}
    for kind in ("weight", "bias"):
        own[f"decoder.layer_norm.{kind}"] = weights.take(f"{base}ln_f.{kind}", channels)
    positions = weights.take(f"{base}wpe.weight", -1, channels)
    own[POSITIONS] = torch.cat([positions.new_zeros(FIRST_POSITION, channels), positions])
    own["decoder.version"] = torch.tensor([3.0])
    own[EMBEDDING] = picked_rows(words, rows, 0.0)
    if not tied:
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
    """Hugging Face's weights; ours are used up. ``lm_head.weight`` is there if it is not tied.

    Args:
        own: of an `rmt_lm`.
        layers: how many there are.
        rows: our row of each word.

    Raises:
        MemtxError: if a weight is missing, has another shape, or is not known.
    """
    words = own.take(EMBEDDING, -1, -1)
    channels = words.size(1)
    theirs = {ours: name for name, ours in LAYER.items()}
    weights = own.take_layers("decoder.layers", "transformer.h", theirs)
    for layer in range(layers):
        for kind, shape in (("weight", (channels, channels)), ("bias", (channels,))):
            before = f"decoder.layers.{layer}.self_attn"
            parts = [own.take(f"{before}.{name}.{kind}", *shape) for name in PROJECTIONS]
            weights[f"transformer.h.{layer}.attn.c_attn.{kind}"] = torch.cat(parts)
    weights = {name: weight.t().contiguous() for name, weight in weights.items()}
    for kind in ("weight", "bias"):
        weights[f"transformer.ln_f.{kind}"] = own.take(f"decoder.layer_norm.{kind}", channels)
    positions = own.take(POSITIONS, -1, channels)[FIRST_POSITION:]
    weights["transformer.wpe.weight"] = positions.clone()
    weights["transformer.wte.weight"] = words[rows]
    output = own.take(OUTPUT, *words.shape)
    if not torch.equal(output, words):
        weights["lm_head.weight"] = output[rows]
    own.pop("decoder.version", None)
    own.finish()
    return weights
