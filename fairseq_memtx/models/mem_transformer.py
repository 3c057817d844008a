"""Memory Transformer for translation, arXiv:2006.11527.

Data flow: the encoder (`EncoderWithMemory`) puts ``M`` learned vectors in front of the source. The
layers work on ``[memory; source]``, the decoder's cross-attention sees both, and the attention
that the decoder reports is cut back to the source, so that alignments are over source words.

Shapes: ``B`` batch, ``T`` source length, ``M`` memory tokens, ``C`` channels.
"""

import torch
from fairseq.models import register_model
from fairseq.models.transformer import (
    TransformerDecoderBase,
    TransformerEncoderBase,
    TransformerModel,
)
from fairseq.models.transformer.transformer_config import (
    DEFAULT_MAX_SOURCE_POSITIONS as LONGEST_SOURCE,
)
from torch import Tensor, nn

from ..checkpoints import surgery
from ..data import data_folder
from ..errors import MemtxError
from ..flags import presets, sizes
from ..flags.ignored_flags import ALONE, NEVER, Ignored
from ..modules.encoder_with_memory import EncoderWithMemory
from ..modules.mem_transformer_layers import (
    BottleneckLayer,
    BottleneckSkipLayer,
    ControllerLayer,
)
from ..modules.quicken import quicken
from ..modules.reading_layer import ReadingLayer
from ..modules.training_watch import watch

LAYER_OF_VARIANT = {
    "tokens": ReadingLayer,
    "controller": ControllerLayer,
    "shared-controller": ControllerLayer,
    "bottleneck": BottleneckLayer,
    "bottleneck-skip": BottleneckSkipLayer,
}


@register_model("mem_transformer")
class MemoryTransformerModel(TransformerModel):
    """fairseq's transformer with a memory in its encoder (section 3 of the paper).

    With ``--memory-tokens 0 --memory-variant tokens`` this is fairseq's transformer itself.
    """

    fits = dict.fromkeys(
        ["translation", "translation_from_pretrained_bart", "translation_multi_simple_epoch"],
        (
            "cross_entropy",
            "label_smoothed_cross_entropy",
            "fused_label_smoothed_cross_entropy",
            "label_smoothed_cross_entropy_with_rdrop",
            "adaptive_loss",
        ),
    )
    fits_because = "since it reads one text and writes another"
    ignored_flags = (
        *NEVER,
        *ALONE,
        Ignored("adaptive_input", "fairseq's transformer has it in language models alone"),
        Ignored("tie_adaptive_weights tie_adaptive_proj", "there is no adaptive input to tie"),
        Ignored("char_inputs", "fairseq's transformer takes words alone"),
        Ignored(
            "decoder_reads_memory_alone",
            "with --no-cross-attention the decoder reads nothing of the encoder",
            when=lambda cfg: getattr(cfg, "no_cross_attention", False),
        ),
        Ignored(
            "inspect_interval",
            "it is about memory, and --memory-tokens is 0",
            when=lambda args: not args.memory_tokens,
        ),
    )

    def __init__(self, args, encoder, decoder) -> None:
        super().__init__(args, encoder, decoder)
        # By this name fairseq's generator knows that alignments come from a forward pass over the
        # finished translation, and not from the steps that led there.
        self.full_context_alignment = isinstance(decoder, MemoryTransformerDecoder)

    @classmethod
    def add_args(cls, parser) -> None:
        """Add fairseq's transformer flags and those of the memory."""
        super().add_args(parser)
        parser.add_argument(
            "--memory-tokens",
            type=int,
            metavar="M",
            help="memory tokens in front of the source; 0 is fairseq's transformer (default: 10)",
        )
        parser.add_argument(
            "--memory-variant",
            metavar="VARIANT",
            help=f"what updates the memory, one of {', '.join(LAYER_OF_VARIANT)} (default: tokens)",
        )
        parser.add_argument(
            "--decoder-reads-memory-alone",
            action="store_true",
            default=None,  # so that a preset may say it
            help="all that the decoder knows of the source has to go through the M vectors",
        )
        parser.add_argument(
            "--inspect-interval",
            type=int,
            metavar="N",
            default=0,
            help="log what heads do with memory, and how it drifts, every N updates (default: "
            "never)",
        )

    @classmethod
    def build_model(cls, args, task) -> "MemoryTransformerModel":
        """Build the model of a command line or of a hydra configuration; flags are checked."""
        args = presets.as_namespace(args, cls)
        for name in ("encoder_layers_to_keep", "decoder_layers_to_keep"):
            kept = getattr(args, name, None)
            if isinstance(kept, list):  # fairseq's parser makes a list of what it then splits
                setattr(args, name, ",".join(map(str, kept)))
        sizes.check_model(args)
        check_memory(args)
        data_folder.check(task)
        return watch(quicken(super().build_model(args, task)), args)

    @classmethod
    def build_encoder(cls, cfg, src_dict, embed_tokens) -> TransformerEncoderBase:
        kind = MemoryTransformerEncoder if cfg.memory_tokens else TransformerEncoderBase
        return kind(cfg, src_dict, embed_tokens)

    @classmethod
    def build_decoder(cls, cfg, tgt_dict, embed_tokens) -> TransformerDecoderBase:
        with_memory = cfg.memory_tokens or reads_memory_alone(cfg)
        kind = MemoryTransformerDecoder if with_memory else TransformerDecoderBase
        return kind(cfg, tgt_dict, embed_tokens, no_encoder_attn=cfg.no_cross_attention)

    def load_state_dict(self, state_dict, strict=True, model_cfg=None, args=None):
        """Load weights of a model with any number of memory tokens, or with none."""
        state_dict = surgery.fit_memory(self, state_dict, "encoder.memory")
        try:
            return super().load_state_dict(state_dict, strict, model_cfg, args)
        except RuntimeError as cause:
            raise surgery.misfit(self, state_dict) from cause


class MemoryTransformerEncoder(EncoderWithMemory):
    """The encoder of a variant; its beams share what it returns."""

    def build_encoder_layer(self, cfg) -> nn.Module:
        """One layer of the variant."""
        kind = LAYER_OF_VARIANT[cfg.memory_variant]
        if cfg.memory_variant == "tokens":
            layer = kind(cfg)
        elif cfg.memory_variant == "shared-controller":
            if not hasattr(self, "memory_controller"):
                self.memory_controller = ReadingLayer(cfg)
            layer = kind(cfg, cfg.memory_tokens, self.memory_controller)
        else:
            layer = kind(cfg, cfg.memory_tokens)
        return self.wrap_layer(cfg, layer)

    def forward(self, src_tokens: Tensor, *args, **kwargs) -> dict[str, list[Tensor]]:
        """Encode ``B x T``; see `EncoderWithMemory`.

        Besides what that returns, ``sentence``: which row of the batch each row is, ``B``.
        """
        encoder_out = super().forward(src_tokens, *args, **kwargs)
        encoder_out["sentence"] = [torch.arange(len(src_tokens), device=src_tokens.device)]
        return encoder_out

    def reorder_encoder_out(
        self, encoder_out: dict[str, list[Tensor]], new_order: Tensor
    ) -> dict[str, list[Tensor]]:
        """Follow the beams, ``B'`` rows of ``new_order``.

        Beams of one sentence read the same encoder output. An order that only swaps them, which is
        what most steps of beam search ask for, changes nothing and copies nothing.
        """
        before = encoder_out["sentence"][0]
        sentence = before.index_select(0, new_order)
        if torch.equal(sentence, before):
            return encoder_out
        return {**super().reorder_encoder_out(encoder_out, new_order), "sentence": [sentence]}


class MemoryTransformerDecoder(TransformerDecoderBase):
    """fairseq's decoder; attends to memory and source, reports attention over the source.

    With ``--decoder-reads-memory-alone`` it attends to memory and nothing else. **This is not in
    the paper**: the source then is ``M`` vectors however long it is, and a translation shows what
    they hold. Without memory (a lesion) such a decoder is a language model of the target.
    """

    def __init__(self, cfg, dictionary, embed_tokens, no_encoder_attn: bool = False) -> None:
        super().__init__(cfg, dictionary, embed_tokens, no_encoder_attn)
        self.memory_tokens = cfg.memory_tokens
        self.reads_memory_alone = reads_memory_alone(cfg)

    def extract_features(
        self,
        prev_output_tokens: Tensor,
        encoder_out: dict[str, list[Tensor]] | None,
        incremental_state: dict | None = None,
        full_context_alignment: bool = False,
        alignment_layer: int | None = None,
        alignment_heads: int | None = None,
    ) -> tuple[Tensor, dict]:
        """Decode to features, ``B x targets x C``.

        ``attn`` in the second result is ``B x targets x T``. What a word gives to memory is left
        out and not made up for, so rows sum to less than one. It is None in training and in the
        steps of beam search, where it would cost time that nobody asked for: alignments are taken
        from one forward pass over the finished translation.
        """
        if alignment_layer is None and (self.training or incremental_state is not None):
            alignment_layer = -1  # no layer returns its weights
        readable = encoder_out
        if self.reads_memory_alone and encoder_out is not None:
            readable = first_places(encoder_out, self.memory_tokens) if self.memory_tokens else None
        features, extra = super().extract_features(
            prev_output_tokens,
            readable,
            incremental_state,
            full_context_alignment,
            alignment_layer,
            alignment_heads,
        )
        extra["attn"] = [
            None if attn is None else self._over_the_source(attn, encoder_out)
            for attn in extra["attn"]
        ]
        return features, extra

    def _over_the_source(self, attn: Tensor, encoder_out: dict[str, list[Tensor]] | None) -> Tensor:
        """The columns of the source, which are zeros where it is not read."""
        if self.reads_memory_alone and encoder_out is not None:
            places = len(encoder_out["encoder_out"][0])
            attn = torch.nn.functional.pad(attn, (0, places - self.memory_tokens))
        return attn[..., self.memory_tokens :]


def first_places(encoder_out: dict[str, list[Tensor]], count: int) -> dict[str, list[Tensor]]:
    """What an encoder returns, with the first ``count`` places and their padding alone."""
    return {
        **encoder_out,
        "encoder_out": [rows[:count] for rows in encoder_out["encoder_out"]],
        "encoder_padding_mask": [mask[:, :count] for mask in encoder_out["encoder_padding_mask"]],
    }


def reads_memory_alone(cfg) -> bool:
    """Of a model's configuration; those of older checkpoints do not say."""
    return bool(getattr(cfg, "decoder_reads_memory_alone", None))


def check_memory(args) -> None:
    """Refuse an unknown variant, a negative or huge ``M``, and a variant without memory."""
    tokens, variant = args.memory_tokens, args.memory_variant
    if variant not in LAYER_OF_VARIANT:
        raise MemtxError(
            f"--memory-variant {variant} is unknown: use one of {', '.join(LAYER_OF_VARIANT)}"
        )
    if (getattr(args, "inspect_interval", 0) or 0) < 0:
        raise MemtxError(f"--inspect-interval {args.inspect_interval} is negative: use 0 or more")
    longest = getattr(args, "max_source_positions", None) or LONGEST_SOURCE
    if not 0 <= tokens <= longest:
        raise MemtxError(
            f"--memory-tokens {tokens} is out of range: use 0 to {longest} "
            "(--max-source-positions; the papers use 5 to 30)"
        )
    if tokens == 0 and variant != "tokens":
        raise MemtxError(
            f"--memory-variant {variant} needs memory, and --memory-tokens is 0: give at least 1, "
            "or use --memory-variant tokens"
        )
    if reads_memory_alone(args) and variant != "tokens":
        raise MemtxError(
            f"--decoder-reads-memory-alone and --memory-variant {variant} do not go together: the "
            "last layer of the source would never learn; use --memory-variant tokens"
        )


for name in (
    "mem_transformer",
    "mem_transformer_tiny",
    "mem_transformer_multi30k",
    "mem_transformer_iwslt_de_en",
    "mem_transformer_wmt",
    "mem_transformer_wmt_small",
    "mem_ctrl_transformer_wmt",
    "mem_ctrl_shared_transformer_wmt",
    "mem_bottleneck_transformer_wmt",
    "mem_bottleneck_skip_transformer_wmt",
):
    presets.register("mem_transformer", name)
