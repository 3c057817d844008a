"""Recurrent Memory Transformer as a language model, arXiv:2207.06881.

The decoder cuts its text into segments of ``--tokens-per-sample`` tokens and hands memory, a
Transformer-XL cache, or both from one to the next; see `recurrent_decoder`. Who keeps the state of
a text between two windows is not decided here but in the task.
"""

# Annotations are not postponed in this file: fairseq makes flags out of them.
from dataclasses import dataclass, field

from fairseq.dataclass import ChoiceEnum
from fairseq.models import register_model
from fairseq.models.transformer_lm import TransformerLanguageModel, TransformerLanguageModelConfig
from omegaconf import II

from .. import checkpoint_surgery, presets
from ..errors import MemtxError
from ..modules.recurrent_decoder import RecurrentMemoryDecoder
from ..modules.tied_adaptive_softmax import parse_cutoff
from ..modules.transformer_xl_decoder import TransformerXLDecoder

DECODER_OF_BACKBONE = {
    "transformer": RecurrentMemoryDecoder,
    "transformer-xl": TransformerXLDecoder,
}


@dataclass
class RmtLanguageModelConfig(TransformerLanguageModelConfig):
    """fairseq's language model and its memory."""

    decoder_input_dim: int = field(
        default=II("model.decoder_embed_dim"), metadata={"help": "channels of the embedding"}
    )
    decoder_output_dim: int = field(
        default=II("model.decoder_embed_dim"), metadata={"help": "channels of the features"}
    )
    backbone: ChoiceEnum(["transformer-xl", "transformer"]) = field(
        default="transformer-xl",
        metadata={"help": "layers with relative positions and a cache, or fairseq's own"},
    )
    memory_tokens: int = field(
        default=10, metadata={"help": "memory tokens M of a segment; 0: no memory"}
    )
    memory_recurrence: ChoiceEnum(["segment", "none"]) = field(
        default="segment",
        metadata={"help": "whether memory goes from segment to segment, or begins anew in each"},
    )
    memory_at_start_only: bool = field(
        default=False,
        metadata={"help": "no write block: what goes on is the read block, which saw no token"},
    )
    memory_reads_cache: bool = field(
        default=False, metadata={"help": "let memory rows see the Transformer-XL cache"}
    )
    cache_length: int = field(
        default=0, metadata={"help": "rows of earlier segments that every layer sees"}
    )
    checkpoint_segments: bool = field(
        default=False,
        metadata={"help": "recompute segments in the backward pass, to save activation memory"},
    )


@register_model("rmt_lm", dataclass=RmtLanguageModelConfig)
class RmtLanguageModel(TransformerLanguageModel):
    """Language model over segments with recurrent memory (RMT, section 3)."""

    @classmethod
    def build_model(cls, args, task) -> "RmtLanguageModel":
        """Build the model of a command line or of a hydra configuration.

        Raises:
            MemtxError: if the flags make no sense together.
        """
        check(args, len(task.source_dictionary))
        if args.decoder_layers_to_keep:
            args.decoder_layers = len(args.decoder_layers_to_keep.split(","))
        decoder = DECODER_OF_BACKBONE[str(args.backbone)]
        if args.backbone == "transformer":
            # Whatever embedding fairseq's own model would have.
            embed_tokens = super().build_model(args, task).decoder.embed_tokens
        else:
            channels = args.decoder_input_dim
            embed_tokens = cls.build_embedding(args, task.source_dictionary, channels)
        return cls(decoder(args, task.target_dictionary, embed_tokens))

    @classmethod
    def from_pretrained(cls, *args, **kwargs):
        """The hub interface of fairseq, which cuts text as that of the data folder was cut."""
        hub = super().from_pretrained(*args, **kwargs)
        hub.bpe = hub.task.build_bpe(hub.cfg.bpe)
        return hub

    def load_state_dict(self, state_dict, strict=True, model_cfg=None, args=None):
        """Load weights of a model with any number of memory tokens, or of a ``transformer_lm``.

        Raises:
            MemtxError: if the checkpoint is of another model.
        """
        state_dict = checkpoint_surgery.fit_memory(self, state_dict, "decoder.memory")
        try:
            return super().load_state_dict(state_dict, strict, model_cfg, args)
        except RuntimeError as cause:
            raise checkpoint_surgery.misfit(self, state_dict) from cause


def check(args, vocabulary: int) -> None:
    """Refuse flags that make no sense together.

    Args:
        args: the model's configuration.
        vocabulary: symbols of the dictionary.

    Raises:
        MemtxError: with what to do.
    """
    for name in ("memory_tokens", "cache_length"):
        if getattr(args, name) < 0:
            flag = name.replace("_", "-")
            raise MemtxError(f"--{flag} {getattr(args, name)} is negative: use 0 or more")
    heads, channels = args.decoder_attention_heads, args.decoder_embed_dim
    if channels % heads:
        raise MemtxError(
            f"--decoder-embed-dim {channels} cannot be divided among --decoder-attention-heads "
            f"{heads}: use a multiple"
        )
    parse_cutoff(args.adaptive_softmax_cutoff, vocabulary)
    if args.character_embeddings:
        # Their embedding has no table of words, which the output layers are tied to.
        raise MemtxError("--character-embeddings are not supported: leave the flag out")
    if args.backbone == "transformer":
        if args.cache_length:
            raise MemtxError(
                "--backbone transformer has no cache: leave out --cache-length, or use --backbone "
                "transformer-xl"
            )
        if args.tokens_per_sample > (args.max_target_positions or args.tokens_per_sample):
            raise MemtxError(
                f"segments of --tokens-per-sample {args.tokens_per_sample} are longer than "
                f"--max-target-positions {args.max_target_positions}: raise the latter"
            )
    elif args.backbone != "transformer-xl":
        raise MemtxError(
            f"--backbone {args.backbone} is unknown: use one of {', '.join(DECODER_OF_BACKBONE)}"
        )
    if args.memory_at_start_only and not args.memory_tokens:
        raise MemtxError("--memory-at-start-only needs memory, and --memory-tokens is 0: give some")


for name in (
    "rmt_lm_tiny",
    "rmt_lm_wiki103",
    "rmt_lm_enwik8",
    "transformer_xl_lm_wiki103",
    "transformer_xl_lm_enwik8",
    "rmt_transformer_xl_wiki103",
    "rmt_transformer_xl_enwik8",
):
    presets.register("rmt_lm", name, fill_up=lambda args: None)  # the dataclass has the rest
