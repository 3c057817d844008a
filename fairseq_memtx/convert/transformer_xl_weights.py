"""The weights of a published Transformer-XL or RMT under the names of `rmt_lm`, and back.

Shapes: ``V`` words, ``C`` channels, ``M`` memory tokens, ``H`` heads.
"""

import re
from pathlib import Path

import torch
from torch import Tensor

from ..checkpoints import safe_loading
from ..errors import MemtxError
from ..modules.segment_decoder import NEVER
from .weights import Weights, picked_rows

EMBEDDING = "word_emb.emb_layers.0.weight"
SOFTMAX = "decoder.adaptive_softmax"
# Inside a layer: the published name, and ours.
LAYER = {
    "dec_attn.qkv_net": "self_attn.qkv_proj",
    "dec_attn.r_net": "self_attn.position_proj",
    "dec_attn.o_net": "self_attn.out_proj",
    "dec_attn.layer_norm": "self_attn_layer_norm",
    "pos_ff.CoreNet.0": "fc1",
    "pos_ff.CoreNet.3": "fc2",
    "pos_ff.layer_norm": "final_layer_norm",
}
NAMES = {f"layers.#.{theirs}": f"decoder.layers.#.{ours}" for theirs, ours in LAYER.items()}
# Names by which a state dict shows that it is of another model.
REFUSED = {
    r"emb_layers\.1\.|out_layers\.1\.": "div_val other than 1",
    r"emb_projs|out_projs": "d_embed other than d_model",
    r"^r_emb$|^r_bias$|\.q_net\.|\.kv_net\.": "attn_type other than 0",
    r"^out_layer\.": "sample_softmax",
}


def read_published(path: Path, words: int, cutoffs: list[int]) -> Weights:
    """A published state dict of so many words; one of a model that ours cannot be is refused.

    Each of ``cutoffs`` is the word that begins a cluster, all but the first.
    """
    published = Weights(path, safe_loading.load(str(path)))
    for pattern, what in REFUSED.items():
        for name in filter(re.compile(pattern).search, published):
            raise MemtxError(f"{path} has {name}, so {what}: it cannot be converted")
    embedding = published.look(EMBEDDING, -1, -1)
    count, channels = embedding.shape
    heads, head_channels = published.look("r_w_bias", -1, -1).shape
    if heads * head_channels != channels:
        raise MemtxError(
            f"{path} has {heads} heads of {head_channels} channels, which are not its d_model "
            f"{channels}: it cannot be converted"
        )
    if not torch.equal(published.take("crit.out_layers.0.weight", count, channels), embedding):
        raise MemtxError(f"{path} has output weights of their own: only tied ones can be converted")
    if count != words:
        raise MemtxError(
            f"{path} has {count} words and the vocabulary {words}: give the one it was trained "
            "with, one word a line and nothing else"
        )
    has_clusters = "crit.cluster_bias" in published
    clusters = len(published.look("crit.cluster_bias", -1)) if has_clusters else 0
    edges = [0, *cutoffs, count]
    if clusters != len(cutoffs) or any(a >= b for a, b in zip(edges, edges[1:])):
        raise MemtxError(
            f"{path} has {clusters} clusters of rare words among {count}, and --cutoffs are "
            f"{cutoffs}: give the one word that begins each, in ascending order"
        )
    return published


def published_sizes(published: Weights) -> dict[str, int]:
    """What a published state dict shows of its model, by the names of our settings."""
    channels = published.look(EMBEDDING, -1, -1).size(1)
    has_memory = "mem_tokens" in published
    return {
        "decoder_layers": len({n.split(".")[1] for n in published if n.startswith("layers.")}),
        "decoder_embed_dim": channels,
        "decoder_ffn_embed_dim": len(published.look("layers.0.pos_ff.CoreNet.0.bias", -1)),
        "decoder_attention_heads": len(published.look("r_w_bias", -1, -1)),
        "memory_tokens": len(published.look("mem_tokens", -1, 1, channels)) if has_memory else 0,
    }


def ours_from_published(
    published: Weights, rows: list[int], cutoffs: list[int]
) -> dict[str, Tensor]:
    """Our weights; the published ones, from `read_published`, are used up, or else refused.

    Our words have these published rows, -1 if they are never predicted; cutoffs are ours.
    """
    embedding = published.take(EMBEDDING, -1, -1)
    count, channels = embedding.shape
    own = published.take_named(NAMES)
    own["decoder.version"] = torch.tensor([3.0])
    content_bias = published.take("r_w_bias", -1, -1)  # H x C/H
    position_bias = published.take("r_r_bias", *content_bias.shape)
    own["decoder.attention_biases"] = torch.stack([content_bias, position_bias])
    own["decoder.embed_tokens.weight"] = picked_rows(embedding, rows, 0.0)
    if "mem_tokens" in published:  # M x 1 x C to M x C
        own["decoder.memory.weight"] = published.take("mem_tokens", -1, 1, channels).squeeze(1)
    bias = picked_rows(published.take("crit.out_layers.0.bias", count), rows, NEVER)
    own.update(zip(bias_names(len(cutoffs)), bias.tensor_split(cutoffs)))
    if cutoffs:
        own[f"{SOFTMAX}.version"] = torch.tensor([1])
        for kind, shape in (("weight", (len(cutoffs), channels)), ("bias", (len(cutoffs),))):
            # Cluster 1 has the last column of the published head, and the first of ours.
            clusters = published.take(f"crit.cluster_{kind}", *shape)
            own[f"{SOFTMAX}.head.clusters.{kind}"] = clusters.flip(0)
    else:
        own["decoder.output_projection.weight"] = own["decoder.embed_tokens.weight"]
    published.pop("pos_emb.inv_freq", None)  # sinusoids, which both sides know
    published.finish()
    return own


def published_from_ours(own: Weights, rows: list[int], clusters: int) -> dict[str, Tensor]:
    """Published weights; ours, of the shapes of their configuration, are used up, or else refused.

    Published words have these rows of ours; there are so many clusters of rare ones.
    """
    published = own.take_named({ours: theirs for theirs, ours in NAMES.items()})
    embedding = own.pop("decoder.embed_tokens.weight")
    bias = torch.cat([own.pop(name) for name in bias_names(clusters)])
    if clusters:
        own.pop(f"{SOFTMAX}.version")
        for kind in ("weight", "bias"):
            published[f"crit.cluster_{kind}"] = own.pop(f"{SOFTMAX}.head.clusters.{kind}").flip(0)
    elif not torch.equal(own.pop("decoder.output_projection.weight"), embedding):
        raise MemtxError(f"{own.path} has output weights of their own: tie them")
    published[EMBEDDING] = embedding[rows]
    published["crit.out_layers.0.weight"] = published[EMBEDDING]
    published["crit.out_layers.0.bias"] = bias[rows]
    published["r_w_bias"], published["r_r_bias"] = own.pop("decoder.attention_biases")
    steps = torch.arange(0.0, embedding.size(1), 2.0) / embedding.size(1)
    published["pos_emb.inv_freq"] = 1 / 10000**steps
    if "decoder.memory.weight" in own:  # M x C to M x 1 x C
        published["mem_tokens"] = own.pop("decoder.memory.weight").unsqueeze(1)
    own.pop("decoder.version")
    own.finish()
    return published


def bias_names(clusters: int) -> list[str]:
    """Our names of the bias of every word, in pieces that follow each other."""
    if not clusters:
        return ["decoder.output_projection.bias"]
    return [f"{SOFTMAX}.head.bias", *(f"{SOFTMAX}.tail.{i}.bias" for i in range(clusters))]
