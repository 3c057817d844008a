"""Recurrent Memory Transformer as a language model, arXiv:2207.06881, and ARMT, arXiv:2407.04841.

The decoder cuts its text into segments of ``--tokens-per-sample`` tokens and hands memory, memories
of its layers, a Transformer-XL cache, or all of them from one to the next; see `segment_decoder`.
Who keeps the state of a text between two windows is not decided here but in the task.
"""

import argparse
from dataclasses import dataclass, field

from fairseq.dataclass import ChoiceEnum
from fairseq.models import register_model
from fairseq.models.transformer_lm import TransformerLanguageModel, TransformerLanguageModelConfig
from omegaconf import II

from ..checkpoints import surgery
from ..errors import MemtxError
from ..flags import presets, sizes
from ..flags.ignored_flags import ALONE, NEVER, Ignored
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
    # fairseq makes a flag's choices of a type that it makes itself.
    backbone: ChoiceEnum(["transformer-xl", "transformer"]) = field(  # type: ignore[valid-type]
        default="transformer-xl",
        metadata={"help": "layers with relative positions and a cache, or fairseq's own"},
    )
    memory_tokens: int = field(
        default=10, metadata={"help": "memory tokens M of a segment; 0: no memory"}
    )
    memory_recurrence: ChoiceEnum(["segment", "none"]) = field(  # type: ignore[valid-type]
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
    layer_memory: ChoiceEnum(["none", "associative"]) = field(  # type: ignore[valid-type]
        default="none",
        metadata={
            "help": "a memory in every layer, into which the write block is written; beside "
            "--memory-recurrence none it is the only one that goes on, and there is no read block"
        },
    )
    associative_channels: int = field(
        default=64, metadata={"help": "channels of the keys of --layer-memory associative (d_mem)"}
    )
    associative_correction: bool = field(
        default=True,
        metadata={"help": "let a key count once, however often it is written; false: every time"},
    )
    cache_length: int = field(
        default=0, metadata={"help": "rows of earlier segments that every layer sees"}
    )
    checkpoint_segments: bool = field(
        default=False,
        metadata={"help": "recompute segments in the backward pass, to save activation memory"},
    )
    predict_words_only: bool = field(
        default=False,
        metadata={"help": "give <s>, <pad> and <unk>, which GPT-2 has not, the probability 0"},
    )


CRITERIONS = (
    "cross_entropy",
    "segment_cross_entropy",
    "adaptive_loss",
    "label_smoothed_cross_entropy",
    "fused_label_smoothed_cross_entropy",
)
# Of those the ones after which a task knows the scores that the model gave.
WITH_SCORES = ("cross_entropy", "adaptive_loss", "label_smoothed_cross_entropy")


def _on_transformer_xl(args) -> bool:
    return args.backbone == "transformer-xl"


def _truth(word: str) -> bool:
    if word.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{word} is neither true nor false")
    return word.lower() == "true"


@register_model("rmt_lm", dataclass=RmtLanguageModelConfig)
class RmtLanguageModel(TransformerLanguageModel):
    """Language model over segments with recurrent memory (RMT, section 3)."""

    fits = dict.fromkeys(["rmt_language_modeling", "algorithmic_sequences"], CRITERIONS) | {
        "facts_in_noise": WITH_SCORES
    }
    fits_because = "which would not hand its memory on"
    bears = ("language_modeling",)
    ignored_flags = (
        *NEVER,
        Ignored(
            "decoder_normalize_before no_decoder_final_norm",
            "--backbone transformer-xl normalises after its sub-layers",
            when=_on_transformer_xl,
        ),
        Ignored(
            "decoder_learned_pos no_token_positional_embeddings",
            "--backbone transformer-xl has distances in place of positions",
            when=_on_transformer_xl,
        ),
        Ignored(
            "adaptive_input adaptive_input_factor adaptive_input_cutoff tie_adaptive_weights "
            "tie_adaptive_proj adaptive_softmax_dropout adaptive_softmax_factor",
            "--backbone transformer-xl has one table of words, to which its adaptive softmax is "
            "tied",
            when=_on_transformer_xl,
        ),
        Ignored(
            "predict_words_only",
            "--backbone transformer-xl learns it by its biases",
            when=_on_transformer_xl,
        ),
        Ignored(
            "offload_activations min_params_to_wrap",
            "--backbone transformer-xl cannot do it, --checkpoint-segments saves most",
            when=_on_transformer_xl,
        ),
        *ALONE,
        Ignored(
            "adaptive_input_factor adaptive_input_cutoff tie_adaptive_weights",
            "it belongs to --adaptive-input, which is not given",
            when=lambda args: not args.adaptive_input,
        ),
        Ignored("quant_noise_pq quant_noise_pq_block_size", "quantisation is not supported here"),
        Ignored(
            "character_filters character_embedding_dim char_embedder_highway_layers",
            "--character-embeddings are not supported",
        ),
        Ignored(
            "scale_fc scale_attn scale_heads scale_resids",
            "the layers have no scales or norms of NormFormer",
        ),
        Ignored(
            "associative_channels associative_correction",
            "it belongs to --layer-memory associative, which is not given",
            when=lambda args: args.layer_memory == "none",
        ),
        Ignored(
            "memory_recurrence memory_at_start_only memory_reads_cache",
            "it is about memory, and --memory-tokens is 0",
            when=lambda args: not args.memory_tokens,
        ),
        Ignored(
            "memory_reads_cache",
            "there is no cache, give it a --cache-length",
            when=lambda args: not args.cache_length,
        ),
    )

    @classmethod
    def add_args(cls, parser):
        """The flags of the command line."""
        # First, since fairseq lets the flag of what is on by default turn it off.
        parser.add_argument(
            "--associative-correction",
            nargs="?",
            const=True,
            type=_truth,
            help=RmtLanguageModelConfig()._get_help("associative_correction"),
        )
        parser.add_argument(
            "--no-associative-correction", dest="associative_correction", action="store_false"
        )
        super().add_args(parser)

    @classmethod
    def build_model(cls, args, task) -> "RmtLanguageModel":
        """Build the model of a command line or of a hydra configuration.

        Raises:
            MemtxError: if the flags make no sense together.
        """
        check(args, len(task.source_dictionary))
        # fairseq's transformer does so, its language model does not.
        args.checkpoint_activations = args.checkpoint_activations or args.offload_activations
        if args.decoder_layers_to_keep:
            args.decoder_layers = len(args.decoder_layers_to_keep.split(","))
        decoder = DECODER_OF_BACKBONE[str(args.backbone)]
        if args.backbone == "transformer":
            # Whatever embedding fairseq's own model would have.
            embed_tokens = super().build_model(args, task).decoder.embed_tokens
        else:
            channels = args.decoder_input_dim
            embed_tokens = cls.build_embedding(args, task.source_dictionary, channels)
        model = cls(decoder(args, task.target_dictionary, embed_tokens))
        # What a window's last segment writes is read in the next window, without a gradient.
        model.weights_may_rest = args.layer_memory != "none"
        return model

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
        state_dict = surgery.fit_memory(self, state_dict, "decoder.memory")
        try:
            return super().load_state_dict(state_dict, strict, model_cfg, args)
        except RuntimeError as cause:
            raise surgery.misfit(self, state_dict) from cause


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
    sizes.check_model(args)
    if args.adaptive_input and not args.adaptive_input_cutoff:
        raise MemtxError("--adaptive-input needs --adaptive-input-cutoff: give it")
    if args.tie_adaptive_weights and (
        args.adaptive_input_cutoff != args.adaptive_softmax_cutoff
        or args.adaptive_input_factor != args.adaptive_softmax_factor
        or args.decoder_input_dim != args.decoder_output_dim
    ):
        raise MemtxError(
            "--tie-adaptive-weights needs cutoffs, factors and widths that are the same for "
            "adaptive input and adaptive softmax"
        )
    parse_cutoff(args.adaptive_softmax_cutoff, vocabulary)
    if args.character_embeddings:
        # Their embedding has no table of words, which the output layers are tied to.
        raise MemtxError("--character-embeddings are not supported: leave the flag out")
    if args.predict_words_only and args.adaptive_softmax_cutoff:
        raise MemtxError(
            "--predict-words-only is for one softmax over all words: leave out "
            "--adaptive-softmax-cutoff"
        )
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
    if args.layer_memory != "none":
        if not args.memory_tokens:
            raise MemtxError(
                f"--layer-memory {args.layer_memory} is written by memory tokens, and "
                "--memory-tokens is 0: give some"
            )
        if args.memory_at_start_only:
            raise MemtxError(
                f"--layer-memory {args.layer_memory} is written by the write block, which "
                "--memory-at-start-only leaves out: leave out one of the two"
            )


ARCHITECTURES = (
    "rmt_lm_tiny",
    "rmt_lm_wiki103",
    "rmt_lm_enwik8",
    "transformer_xl_lm_wiki103",
    "transformer_xl_lm_enwik8",
    "rmt_transformer_xl_wiki103",
    "rmt_transformer_xl_enwik8",
    "armt_lm",
    "armt_lm_tiny",
    "armt_lm_wiki103",
)
for name in ARCHITECTURES:
    presets.register("rmt_lm", name, fill_up=lambda args: None)  # the dataclass has the rest
