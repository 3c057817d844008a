"""A trained `rmt_lm` becomes a folder that runs by torch and safetensors alone: `memory.load`.

Weights keep fairseq's names, but those of words, which are put in the bands of an adaptive softmax,
or into one. What is tied is written once. Before that, both models read a text, and their logits
have to be the same.
"""

import argparse
from typing import Any, NamedTuple

import fairseq
import torch
from fairseq import checkpoint_utils
from fairseq.modules import AdaptiveInput
from torch import Tensor, nn

from .. import __version__
from ..errors import MemtxError
from ..memory import Band, LanguageModelSettings, SegmentLanguageModel, save
from ..models.rmt_lm import RmtLanguageModel
from ..modules.segment_decoder import NEVER
from ..modules.tied_adaptive_softmax import TiedAdaptiveSoftmax
from ..written_aside import folder_aside

# What names of weights begin with that are not taken over under the same name.
OTHERS = ("version", "embed_tokens.", "project_in_dim.", "output_projection.", "adaptive_softmax.")
OF_THE_LOOP = ("reads", "writes", "recurrent", "causal", "memory_reads_cache")
NOT_EXPORTED = (
    "quant_noise_pq",
    "quant_noise_scalar",
    "base_layers",
    "decoder_xformers_att_config",
)


class Words(NamedTuple):
    """Weights of a band of words: its table, and what leads from there to the model, or back."""

    table: Tensor
    projection: Tensor | None = None
    bias: Tensor | None = None


def export(options: argparse.Namespace) -> None:
    """Export by the options of ``fairseq-memtx export``."""
    checkpoint, folder = options.checkpoint, options.folder
    if folder.exists():
        raise MemtxError(f"{folder} exists: delete it, or give another name")
    if not checkpoint.exists():
        raise MemtxError(f"there is no checkpoint {checkpoint}: give one that fairseq-train wrote")
    overrides = {} if options.data is None else {"data": str(options.data)}
    (model,), _, task = checkpoint_utils.load_model_ensemble_and_task([str(checkpoint)], overrides)
    if not isinstance(model, RmtLanguageModel):
        raise MemtxError(f"{checkpoint} is of another model: rmt_lm alone can be exported")
    plain = plain_model(model.eval(), task.source_dictionary.symbols)
    check_equal(model, plain)
    versions = {"fairseq_memtx": __version__, "fairseq": fairseq.__version__}
    with folder_aside(folder) as partial:
        save(plain, partial, {**versions, "torch": torch.__version__})
    print(f"wrote {folder}: fairseq_memtx.memory.load({str(folder)!r}) runs it")


def plain_model(model: RmtLanguageModel, symbols: list[str]) -> SegmentLanguageModel:
    """The same in plain PyTorch, of the same weights in store; other parts are refused."""
    decoder = model.decoder
    for name in NOT_EXPORTED:
        if getattr(decoder.args, name, None):
            flag = name.replace("_", "-")
            raise MemtxError(f"a model with --{flag} cannot be exported: it has no part for that")
    come, (go, clusters) = words_in(decoder), words_out(decoder)
    weights = {
        name: weight
        for name, weight in decoder.state_dict().items()
        if not name.startswith(OTHERS) and not name.endswith("_float_tensor")
    }
    for side, words in (("embedding", come), ("output", go)):
        for band, (table, projection, bias) in enumerate(words):
            weights[f"{side}.tables.{band}.weight"] = table
            weights[f"{side}.projections.{band}.weight"] = projection
            weights[f"{side}.tables.{band}.bias"] = bias
    weights.update({f"output.clusters.{name}": weight for name, weight in clusters.items()})
    weights = {name: weight for name, weight in weights.items() if weight is not None}
    with torch.device("meta"):
        plain = SegmentLanguageModel(settings(decoder, come, go), tuple(symbols))
    try:
        plain.load_state_dict(weights, assign=True)
    except RuntimeError as cause:
        raise MemtxError(f"the model cannot be exported: {str(cause).splitlines()[1]}") from cause
    return plain.eval()


def settings(decoder: Any, come: list[Words], go: list[Words]) -> LanguageModelSettings:
    """What a decoder is, beside its weights."""
    args, layer = decoder.args, next(decoder.layers.children())
    positions = getattr(decoder, "embed_positions", None)
    rows = len(getattr(positions, "weight", ()))
    # A model that is older than the flag has ReLU, see `TransformerXLDecoder`.
    relu = getattr(layer, "activation", None) is nn.functional.relu
    in_layers = str(args.layer_memory) == "associative"
    loop = {name: decoder.memory_settings[name] for name in OF_THE_LOOP}
    return LanguageModelSettings(
        backbone=str(args.backbone),
        layers=len(decoder.layers),
        channels=decoder.embed_dim,
        ffn_channels=args.decoder_ffn_embed_dim,
        heads=args.decoder_attention_heads,
        activation="relu" if relu else str(args.activation_fn),
        norm_first=getattr(layer, "normalize_before", False),
        final_norm=getattr(decoder, "layer_norm", None) is not None,
        input_bands=bands(come),
        embed_scale=float(decoder.embed_scale),
        embed_norm=hasattr(decoder.layernorm_embedding, "weight"),
        positions="learned" if rows else "none" if positions is None else "sinusoidal",
        position_rows=rows,
        output_bands=bands(go),
        output_channels=args.decoder_output_dim,
        output_bias=go[0].bias is not None,
        padding=decoder.padding_idx,
        segment_length=decoder.segment_length,
        memory_tokens=args.memory_tokens,
        memory_positions=getattr(decoder, "memory_places", "none"),
        cache_length=args.cache_length,
        associative_channels=args.associative_channels if in_layers else 0,
        associative_correction=bool(args.associative_correction),
        **loop,
    )


def bands(words: list[Words]) -> tuple[Band, ...]:
    """Their sizes."""
    sizes = ((*part.table.shape, part.projection is not None) for part in words)
    return tuple(Band(count, channels, projected) for count, channels, projected in sizes)


def words_in(decoder: Any) -> list[Words]:
    """The embedding's bands: its own, or those of the output that is tied to it."""
    table = decoder.embed_tokens
    if isinstance(table, AdaptiveInput):
        return [Words(rows.weight, matrix.weight) for rows, matrix in table.embeddings]
    projection = getattr(decoder.project_in_dim, "weight", None)
    if isinstance(decoder.adaptive_softmax, TiedAdaptiveSoftmax):
        sizes = [len(part.bias) for part in _parts(decoder.adaptive_softmax)]
    else:
        sizes = [len(table.weight)]
    return [Words(rows, projection) for rows in table.weight.split(sizes)]


def words_out(decoder: Any) -> tuple[list[Words], dict[str, Tensor]]:
    """The output's bands, and the weights of the scores of the rarer ones."""
    softmax = decoder.adaptive_softmax
    if softmax is None:
        layer, bias = decoder.output_projection, getattr(decoder, "word_bias", None)
        return [Words(layer.weight, None, layer.bias if bias is None else bias)], {}
    if isinstance(softmax, TiedAdaptiveSoftmax):
        biases = [part.bias for part in _parts(softmax)]
        tables = decoder.embed_tokens.weight.split([len(bias) for bias in biases])
        words = [Words(table, None, bias) for table, bias in zip(tables, biases)]
        return words, softmax.head.clusters.state_dict()
    first, head = softmax.cutoff[0], softmax.head
    if isinstance(head, nn.Linear):
        frequent, clusters = head.weight[:first], head.weight[first:]
    else:  # tied to an adaptive input
        frequent, clusters = head.word_proj.weight, head.class_proj.weight
    rarer = [Words(table.weight, _matrix(matrix)) for matrix, _, table in softmax.tail]
    return [Words(frequent), *rarer], {"weight": clusters}


def _parts(softmax: Any) -> list[Any]:
    return [softmax.head, *softmax.tail]


def _matrix(projection: Any) -> Tensor:
    """Of a projection; where it is an adaptive input's, that is read the other way round."""
    weight = projection.weight
    return weight.t() if getattr(projection, "transpose", False) else weight


@torch.no_grad()
def check_equal(model: RmtLanguageModel, plain: SegmentLanguageModel) -> None:
    """Let both read two segments and a half; other last logits are refused."""
    decoder, length = model.decoder, plain.settings.segment_length
    tokens = torch.arange(2 * length + (length + 1) // 2).remainder(len(plain.symbols))[None]
    tokens = tokens.masked_fill(tokens.eq(plain.settings.padding), 0)
    features = decoder(tokens, features_only=True)[0][:, -8:]
    softmax = decoder.adaptive_softmax
    wanted = (
        decoder.output_layer(features) if softmax is None else softmax.get_log_prob(features, None)
    )
    found = plain.output(plain.loop.read(tokens).features[:, -8:])
    can_be = wanted > NEVER / 2
    wanted, found = wanted[can_be], found[can_be]
    if not torch.allclose(found, wanted, rtol=0, atol=1e-4 * float(wanted.abs().max())):
        raise MemtxError("the model cannot be exported: plain PyTorch gives it other logits")
