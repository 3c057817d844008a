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
# Numbers 0, 1, 2, ... that old versions saved, and a layer that no masked language model has.
UNUSED = re.compile(r"embeddings\.(position_ids|token_type_ids)$|(^|\.)pooler\.")


def fairseq_weights(weights: Weights, config: dict[str, Any], rows: list[int]) -> dict[str, Tensor]:
    """The weights for fairseq; the ones that are given are used up.

    Args:
        weights: of Hugging Face.
        config: Hugging Face's.
        rows: the row of each of our words.

    Raises:
        MemtxError: if a weight is missing, has another shape than the configuration says, or is not
            known.
    """
    channels = config["hidden_size"]
    base = "roberta." if any(name.startswith("roberta.") for name in weights) else ""
    embeddings = f"{base}embeddings"
    words = weights.take(f"{embeddings}.word_embeddings.weight", config["vocab_size"], channels)
    positions = weights.take(
        f"{embeddings}.position_embeddings.weight", config["max_position_embeddings"], channels
    )
    types = weights.take(
        f"{embeddings}.token_type_embeddings.weight", config["type_vocab_size"], channels
    )
    own = weights.take_layers(f"{base}encoder.layer", f"{ENCODER}.layers", LAYER)
    layers = len({name.split(".")[3] for name in own})
    if layers < config["num_hidden_layers"]:
        raise MemtxError(
            f"{weights.path} does not fit config.json: num_hidden_layers is "
            f"{config['num_hidden_layers']}, and layers.{layers}. is not there"
        )
    own[f"{ENCODER}.version"] = torch.tensor([3.0])
    own[EMBEDDING] = words[rows]
    own[f"{ENCODER}.embed_positions.weight"] = fold_types(positions, types, config["pad_token_id"])
    for kind in ("weight", "bias"):
        norm = weights.take(f"{embeddings}.LayerNorm.{kind}", channels)
        own[f"{ENCODER}.layernorm_embedding.{kind}"] = norm
    tied = config.get("tie_word_embeddings", True)
    if has_head(weights):
        own.update(take_head(weights, words, tied, rows))
    else:
        own.update(new_head(channels, len(rows)))
    if tied or OUTPUT not in own:
        own[OUTPUT] = own[EMBEDDING]
    weights.finish()
    return own


def fold_types(positions: Tensor, types: Tensor, pad: int) -> Tensor:
    """Positions ``(2 + N) x C`` of fairseq, which has no token types.

    RoBERTa gives every token the type 0, whose vector is added to each position, not to each word:
    the table of words is the output layer too. The rows before the first position are for padding,
    which is to count as nothing and never learns: they become zeros. Hugging Face's first position
    is in the row after that of padding, fairseq's always in row 2.

    Args:
        positions: of ``P x C``.
        types: of ``T x C``.
        pad: the row for padding.
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


def new_head(channels: int, words: int) -> dict[str, Tensor]:
    """The same untrained, as fairseq begins with."""
    generator = torch.Generator().manual_seed(1)
    return {
        f"{HEAD}.dense.weight": 0.02 * torch.randn(channels, channels, generator=generator),
        f"{HEAD}.dense.bias": torch.zeros(channels),
        f"{HEAD}.layer_norm.weight": torch.ones(channels),
        f"{HEAD}.layer_norm.bias": torch.zeros(channels),
        f"{HEAD}.bias": torch.zeros(words),
    }
