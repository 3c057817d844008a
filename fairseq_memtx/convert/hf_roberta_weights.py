"""The weights of a Hugging Face RoBERTa under fairseq's names.

Shapes: ``V`` words, ``P`` positions, ``C`` channels.
"""

import re
from typing import Any

import torch
from torch import Tensor

from ..errors import MemtxError
from .weights import Weights

ENCODER = "encoder.sentence_encoder"
HEAD = "encoder.lm_head"
EMBEDDING, OUTPUT = f"{ENCODER}.embed_tokens.weight", f"{HEAD}.weight"
# Inside a layer: Hugging Face's name, and fairseq's.
LAYER = {
    "attention.self.query": "self_attn.q_proj",
    "attention.self.key": "self_attn.k_proj",
    "attention.self.value": "self_attn.v_proj",
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "self_attn_layer_norm",
    "intermediate.dense": "fc1",
    "output.dense": "fc2",
    "output.LayerNorm": "final_layer_norm",
}
BASE = "roberta."
NAMES = {f"{BASE}encoder.layer.#.{part}": f"{ENCODER}.layers.#.{LAYER[part]}" for part in LAYER}
NAMES[f"{BASE}embeddings.LayerNorm"] = f"{ENCODER}.layernorm_embedding"
# Numbers 0, 1, 2, ... that old versions saved, and a layer that no masked language model has.
UNUSED = re.compile(r"embeddings\.(position_ids|token_type_ids)$|(^|\.)pooler\.")
# Tables of vectors, and the setting that says how many each has.
TABLES = {
    "word": "vocab_size",
    "position": "max_position_embeddings",
    "token_type": "type_vocab_size",
}


def fairseq_weights(weights: Weights, config: dict[str, Any], rows: list[int]) -> dict[str, Tensor]:
    """The weights for fairseq, without the layers that predict words if there are none.

    Those of Hugging Face, of such a configuration, are used up; our words have these rows of them.
    """
    channels = config["hidden_size"]
    words, positions, types = (
        weights.take(f"{BASE}embeddings.{table}_embeddings.weight", config[size], channels)
        for table, size in TABLES.items()
    )
    own = weights.take_named(NAMES)
    layers = len({name.split(".")[3] for name in own if ".layers." in name})
    if layers < config["num_hidden_layers"]:
        raise MemtxError(
            f"{weights.path} does not fit config.json: num_hidden_layers is "
            f"{config['num_hidden_layers']}, and layers.{layers}. is not there"
        )
    own[f"{ENCODER}.version"] = torch.tensor([3.0])
    own[EMBEDDING] = words[rows]
    own[f"{ENCODER}.embed_positions.weight"] = fold_types(positions, types, config["pad_token_id"])
    tied = config.get("tie_word_embeddings", True)
    if has_head(weights):
        own.update(take_head(weights, words, tied, rows))
    if OUTPUT not in own:
        own[OUTPUT] = own[EMBEDDING]
    weights.finish()
    return own


def fold_types(positions: Tensor, types: Tensor, pad: int) -> Tensor:
    """Positions ``(2 + N) x C`` of fairseq, which has no token types.

    RoBERTa gives every token the type 0, whose vector is added to each position, not to each word:
    the table of words is the output layer too. The rows before the first position are for padding,
    which is to count as nothing and never learns: they become zeros. Hugging Face's first position
    is in the row after that of padding, fairseq's always in row 2.
    Positions are ``P x C``, types ``T x C``, and ``pad`` is the row for padding.
    """
    real = positions[pad + 1 :].double() + types[0].double()
    return torch.cat([torch.zeros(2, real.size(1)), real.float()])


def has_head(weights: dict[str, Tensor]) -> bool:
    """Whether the model can predict words."""
    return any(name.startswith("lm_head.") for name in weights)


def take_head(weights: Weights, words: Tensor, tied: bool, rows: list[int]) -> dict[str, Tensor]:
    """The layers that predict words, without the last table where that is ``words``, ``V x C``."""
    count, channels = words.shape
    head = {}
    for part, shape in (("dense", (channels, channels)), ("layer_norm", (channels,))):
        head[f"{HEAD}.{part}.weight"] = weights.take(f"lm_head.{part}.weight", *shape)
        head[f"{HEAD}.{part}.bias"] = weights.take(f"lm_head.{part}.bias", channels)
    bias = weights.take("lm_head.bias", count)
    # Where it is not tied, Hugging Face never uses that bias.
    last = {"lm_head.decoder.weight": words, "lm_head.decoder.bias": bias}
    for name, same in last.items():
        if tied and not torch.equal(weights.pop(name, same), same):
            raise MemtxError(
                f"{weights.path} has {name} of its own, and config.json says that it is tied: set "
                "tie_word_embeddings to false, or take it out"
            )
    if not tied:
        head[OUTPUT] = weights.take("lm_head.decoder.weight", count, channels)[rows]
        bias = weights.take("lm_head.decoder.bias", count)
    return {**head, f"{HEAD}.bias": bias[rows]}
