"""The flags of `rmt_lm`, and which of them make no sense together."""

import argparse
from dataclasses import dataclass

from fairseq.dataclass import ChoiceEnum
from fairseq.models.transformer_lm import TransformerLanguageModelConfig
from omegaconf import II

from ..errors import MemtxError
from ..flags import sizes
from ..flags.flag import flag
from ..modules.tied_adaptive_softmax import parse_cutoff

BACKBONES = ["transformer-xl", "transformer"]


@dataclass
class RmtLanguageModelConfig(TransformerLanguageModelConfig):
    """fairseq's language model and its memory."""

    decoder_input_dim: int = flag(II("model.decoder_embed_dim"), "channels of the embedding")
    decoder_output_dim: int = flag(II("model.decoder_embed_dim"), "channels of the features")
    # fairseq makes a flag's choices of a type that it makes itself.
    backbone: ChoiceEnum(BACKBONES) = flag(  # type: ignore[valid-type]
        "transformer-xl", "layers with relative positions and a cache, or fairseq's own"
    )
    memory_tokens: int = flag(10, "memory tokens M of a segment; 0: no memory")
    memory_recurrence: ChoiceEnum(["segment", "none"]) = flag(  # type: ignore[valid-type]
        "segment", "whether memory goes from segment to segment, or begins anew in each"
    )
    memory_at_start_only: bool = flag(
        False, "no write block: what goes on is the read block, which saw no token"
    )
    memory_reads_cache: bool = flag(False, "let memory rows see the Transformer-XL cache")
    layer_memory: ChoiceEnum(["none", "associative"]) = flag(  # type: ignore[valid-type]
        "none",
        "a memory in every layer, into which the write block is written; beside "
        "--memory-recurrence none it is the only one that goes on, and there is no read block",
    )
    associative_channels: int = flag(
        64, "channels of the keys of --layer-memory associative (d_mem)"
    )
    associative_correction: bool = flag(
        True, "let a key count once, however often it is written; false: every time"
    )
    causal_memory: bool = flag(
        False, "let memory rows see nothing that comes after them, as published GPT-2 models"
    )
    memory_positions: ChoiceEnum(["none", "own", "running"]) = flag(  # type: ignore[valid-type]
        "none",
        "of memory rows under --backbone transformer: none, more rows of the table of "
        "--decoder-learned-pos, or places in the row as tokens have them",
    )
    cache_length: int = flag(0, "rows of earlier segments that every layer sees")
    inspect_interval: int = flag(
        0, "log what heads do with memory, and how it drifts, every N updates (default: never)"
    )
    checkpoint_segments: bool = flag(
        False, "recompute segments in the backward pass, to save activation memory"
    )
    predict_words_only: bool = flag(
        False, "give <s>, <pad> and <unk>, which GPT-2 has not, the probability 0"
    )


def positions(args) -> int:
    """Places that a segment takes in the table of positions, those of memory of its own apart."""
    if args.memory_positions != "running":
        return args.tokens_per_sample
    reads = args.memory_recurrence == "segment" or args.layer_memory == "none"
    return args.tokens_per_sample + (reads + (not args.memory_at_start_only)) * args.memory_tokens


def add_correction(parser) -> None:
    """The flag of what is on by default, which fairseq would let turn it off."""
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


def _truth(word: str) -> bool:
    if word.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{word} is neither true nor false")
    return word.lower() == "true"


def check(args, vocabulary: int) -> None:
    """Refuse flags that make no sense together, for a dictionary of so many symbols."""
    for name in ("memory_tokens", "cache_length", "inspect_interval"):
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
        if args.max_target_positions and positions(args) > args.max_target_positions:
            memory = " and memory" if args.memory_positions == "running" else ""
            raise MemtxError(
                f"segments of --tokens-per-sample {args.tokens_per_sample}{memory} are longer than "
                f"--max-target-positions {args.max_target_positions}: raise the latter"
            )
    elif args.backbone != "transformer-xl":
        raise MemtxError(
            f"--backbone {args.backbone} is unknown: use one of {', '.join(BACKBONES)}"
        )
    _check_memory_positions(args)
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


def _check_memory_positions(args) -> None:
    if args.memory_positions == "none":
        return
    flag = f"--memory-positions {args.memory_positions}"
    if args.backbone != "transformer":
        raise MemtxError(
            f"{flag} is for --backbone transformer: others have distances, leave it out"
        )
    if args.no_token_positional_embeddings:
        raise MemtxError(f"{flag} and --no-token-positional-embeddings contradict each other")
    if args.memory_positions == "own" and not args.decoder_learned_pos:
        raise MemtxError(f"{flag} adds rows to the table of --decoder-learned-pos: give it")
