"""The flags of GMAT: what they say, what they are where nobody says, what makes no sense."""

from argparse import ArgumentParser
from typing import Any

from fairseq.models.roberta.model import base_architecture as roberta_architecture

from ..errors import MemtxError
from ..flags import presets, sizes
from ..modules.gmat_attention import KERNELS, SCHEMES
from ..modules.gmat_encoder import segment_length

STACK = ("compress_layers", "memory_layers", "decompress_layers")
WHOLE_NUMBERS = {
    "memory_tokens": "memory tokens M that see the whole document (default: 64)",
    "chunk_size": "tokens of a chunk, for chunked and lsh (default: 512)",
    "window_size": "tokens that a token sees, half on either side, for window (default: 512)",
    "lsh_buckets": "hashes of a key, an even number, for lsh (default: 64)",
    "lsh_rounds": "rounds of hashing, for lsh (default: 2)",
    "compress_layers": "layers of memory and tokens, with compression (default: 0, no compression)",
    "memory_layers": "then so many layers of memory alone (default: 0)",
    "decompress_layers": "then so many in which tokens read memory (default: 0)",
    "inspect_interval": "log what heads do with memory, and its drift, every N updates (default: "
    "0, not at all)",
    "segments": "read a document in N segments, memory going from one to the next (default: 1)",
}


def add(parser: ArgumentParser) -> None:
    """Add what RoBERTa has not."""
    for name, text in WHOLE_NUMBERS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N", help=text)
    parser.add_argument(
        "--sparse-attention",
        metavar="SCHEME",
        help=f"which tokens a token sees: one of {', '.join(SCHEMES)} (default: chunked)",
    )
    parser.add_argument(
        "--attention-kernel",
        metavar="KERNEL",
        help="how the same is computed: groups, by fused attention in groups of tokens; or flex, "
        "by FlexAttention, on a GPU and without attention dropout (default: groups)",
    )
    parser.add_argument(
        "--separate-memory-projections",
        action="store_true",
        help="give memory query, key, value and output projections of its own",
    )
    # fairseq's RoBERTa has no flags for these two, though its layers can do it.
    parser.add_argument(
        "--checkpoint-activations",
        action="store_true",
        help="recompute activations in the backward pass, to save memory",
    )
    parser.add_argument(
        "--offload-activations",
        action="store_true",
        help="keep checkpointed activations in the memory of the CPU",
    )


def complete(args: Any) -> None:
    """Fill in what neither flags nor preset say, as ``gmat_roberta.yaml`` has it."""
    for name, value in presets.read("gmat_roberta").items():
        if getattr(args, name, None) is None:
            setattr(args, name, value)
    roberta_architecture(args)
    # fairseq's transformer does so, its RoBERTa does not.
    args.offload_activations = getattr(args, "offload_activations", False)
    args.checkpoint_activations = (
        getattr(args, "checkpoint_activations", False) or args.offload_activations
    )


def check(args: Any) -> None:
    """Refuse flags that make no sense together."""
    if args.sparse_attention not in SCHEMES:
        raise MemtxError(
            f"--sparse-attention {args.sparse_attention} is unknown: use one of "
            f"{', '.join(SCHEMES)}"
        )
    check_kernel(args)
    for name in WHOLE_NUMBERS:
        least = 0 if name.endswith(("_tokens", "_layers", "_interval")) else 1
        if getattr(args, name) < least:
            flag = name.replace("_", "-")
            raise MemtxError(f"--{flag} {getattr(args, name)} is too small: use {least} or more")
    for name in ("window_size", "lsh_buckets"):
        if getattr(args, name) % 2:
            flag = name.replace("_", "-")
            raise MemtxError(f"--{flag} {getattr(args, name)} is odd: use an even number")
    sizes.check_model(args)
    if args.spectral_norm_classification_head and args.quant_noise_pq:
        raise MemtxError(
            "--spectral-norm-classification-head and --quant-noise-pq cannot be used together: "
            "leave one out"
        )
    counts = [getattr(args, name) for name in STACK]
    for wanted, what in (
        (args.segments > 1, f"--segments {args.segments}"),
        (args.separate_memory_projections, "--separate-memory-projections"),
        (any(counts), "compression (--compress-layers and the like)"),
    ):
        if wanted and not args.memory_tokens:
            raise MemtxError(f"{what} needs memory, and --memory-tokens is 0: give some")
    if any(counts) and (sum(counts) != args.encoder_layers or not counts[0] or not counts[2]):
        raise MemtxError(
            "--compress-layers {} --memory-layers {} --decompress-layers {}".format(*counts)
            + f" do not fit --encoder-layers {args.encoder_layers}: they must add up to it, with "
            "at least one layer that compresses and one that decompresses"
        )
    if segment_length(args.max_positions, args.segments) < 2:
        raise MemtxError(
            f"--max-positions {args.max_positions} is too short for --segments {args.segments}"
        )


def check_kernel(args: Any) -> None:
    """Refuse FlexAttention where it cannot be."""
    if args.attention_kernel not in KERNELS:
        raise MemtxError(
            f"--attention-kernel {args.attention_kernel} is unknown: use one of "
            f"{', '.join(KERNELS)}"
        )
    if args.attention_kernel == "flex" and args.attention_dropout:
        raise MemtxError(
            f"--attention-kernel flex drops no attention weights, and --attention-dropout is "
            f"{args.attention_dropout}: set it to 0, or leave the kernel out"
        )
