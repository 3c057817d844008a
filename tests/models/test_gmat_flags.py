"""GMAT refuses flags that make no sense, and documents that are too long."""

import pytest
from test_gmat_roberta import COMPRESSED, build, tokens

from fairseq_memtx.errors import MemtxError


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"chunk_size": 0}, "--chunk-size 0 is too small: use 1 or more"),
        ({"window_size": -2}, "--window-size -2 is too small: use 1 or more"),
        ({"window_size": 7}, "--window-size 7 is odd"),
        ({"lsh_buckets": 5}, "--lsh-buckets 5 is odd"),
        ({"lsh_rounds": 0}, "--lsh-rounds 0 is too small"),
        ({"memory_tokens": -1}, "--memory-tokens -1 is too small: use 0 or more"),
        ({"sparse_attention": "strided"}, "strided is unknown: use one of chunked, window, lsh"),
        ({"attention_kernel": "flash"}, "flash is unknown: use one of groups, flex"),
        ({"attention_kernel": "flex", "sparse_attention": "lsh"}, "lsh does not tell: use one"),
        (
            {"attention_kernel": "flex", "attention_dropout": 0.1},
            "drops no attention weights, and --attention-dropout is 0.1: set it to 0",
        ),
        ({"encoder_attention_heads": 3}, "cannot be divided among --encoder-attention-heads 3"),
        ({"compress_layers": 1, "decompress_layers": 2}, "do not fit --encoder-layers 2"),
        ({"compress_layers": 1, "memory_layers": 1}, "at least one layer that compresses"),
        ({**COMPRESSED, "memory_tokens": 0}, "compression .* needs memory"),
        ({"segments": 2, "memory_tokens": 0}, "--segments 2 needs memory"),
        ({"segments": 0}, "--segments 0 is too small"),
        ({"separate_memory_projections": True, "memory_tokens": 0}, "needs memory"),
        ({"max_positions": 1, "segments": 2}, "--max-positions 1 is too short for --segments 2"),
    ],
)
def test_flags_that_make_no_sense(flags, says):
    with pytest.raises(MemtxError, match=says):
        build(**flags)


@pytest.mark.parametrize("flags", [{}, {"segments": 2}, {"memory_tokens": 0, "segments": 1}])
def test_documents_that_are_too_long(flags):
    with pytest.raises(MemtxError, match=r"41 tokens is longer than --max-positions 40: shorten"):
        build(**flags)(tokens(41))
