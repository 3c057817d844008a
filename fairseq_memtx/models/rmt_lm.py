"""Recurrent Memory Transformer as a language model, arXiv:2207.06881, and ARMT, arXiv:2407.04841.

The decoder cuts its text into segments of ``--tokens-per-sample`` tokens and hands memory, memories
of its layers, a Transformer-XL cache, or all of them from one to the next; see `segment_decoder`.
Who keeps the state of a text between two windows is not decided here but in the task.
"""

from fairseq.models import register_model
from fairseq.models.transformer_lm import TransformerLanguageModel

from ..checkpoints import surgery
from ..flags import presets
from ..flags.ignored_flags import ALONE, NEVER, Ignored
from ..modules.recurrent_decoder import RecurrentMemoryDecoder
from ..modules.training_watch import watch
from ..modules.transformer_xl_decoder import TransformerXLDecoder
from . import rmt_flags
from .rmt_flags import RmtLanguageModelConfig

DECODER_OF_BACKBONE = {
    "transformer": RecurrentMemoryDecoder,
    "transformer-xl": TransformerXLDecoder,
}


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
            "memory_recurrence memory_at_start_only memory_reads_cache causal_memory "
            "memory_positions inspect_interval",
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
        rmt_flags.add_correction(parser)
        super().add_args(parser)

    @classmethod
    def build_model(cls, args, task) -> "RmtLanguageModel":
        """Build the model of a command line or of a hydra configuration; flags are checked."""
        rmt_flags.check(args, len(task.source_dictionary))
        # fairseq's transformer does so, its language model does not.
        args.checkpoint_activations = args.checkpoint_activations or args.offload_activations
        if args.decoder_layers_to_keep:
            args.decoder_layers = len(args.decoder_layers_to_keep.split(","))
        decoder = DECODER_OF_BACKBONE[str(args.backbone)]
        if args.backbone == "transformer":
            args.max_target_positions = args.max_target_positions or rmt_flags.positions(args)
            # Whatever embedding fairseq's own model would have.
            embed_tokens = super().build_model(args, task).decoder.embed_tokens
        else:
            channels = args.decoder_input_dim
            embed_tokens = cls.build_embedding(args, task.source_dictionary, channels)
        model = cls(decoder(args, task.target_dictionary, embed_tokens))
        # What a window's last segment writes is read in the next window, without a gradient.
        model.weights_may_rest = args.layer_memory != "none"
        return watch(model, args)

    @classmethod
    def from_pretrained(cls, *args, **kwargs):
        """The hub interface of fairseq, which cuts text as that of the data folder was cut."""
        hub = super().from_pretrained(*args, **kwargs)
        hub.bpe = hub.task.build_bpe(hub.cfg.bpe)
        return hub

    def load_state_dict(self, state_dict, strict=True, model_cfg=None, args=None):
        """Load weights of a model with any number of memory tokens, or of a ``transformer_lm``."""
        state_dict = dict(state_dict)
        positions, memory = "decoder.embed_positions", "decoder.memory"
        own = self.decoder.own_positions
        surgery.fit_memory_positions(self, state_dict, positions, memory, own)
        state_dict = surgery.fit_memory(self, state_dict, memory)
        try:
            return super().load_state_dict(state_dict, strict, model_cfg, args)
        except RuntimeError as cause:
            raise surgery.misfit(self, state_dict) from cause


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
