"""Flags of `rmt_lm` that contradict each other or have no effect."""

import pytest
from test_rmt_lm import ADAPTIVE, LAYER_MEMORY, build

from fairseq_memtx.errors import MemtxError


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--memory-tokens", "-1"], "--memory-tokens -1 is negative"),
        (["--backbone", "transformer", "--cache-length", "3"], "has no cache"),
        (["--decoder-attention-heads", "7"], "cannot be divided"),
        (
            ["--memory-at-start-only", "--memory-tokens", "0"],
            "about memory, and --memory-tokens is",
        ),
        (["--adaptive-softmax-cutoff", "9,99"], "9,99 .* the dictionary has 24"),
        (["--adaptive-softmax-cutoff", "9,9"], "9,9 is impossible"),
        (["--adaptive-softmax-cutoff", "exit(3)"], r"exit\(3\) is impossible"),
        (
            ["--backbone", "transformer", *ADAPTIVE, "--predict-words-only"],
            "--predict-words-only is for one softmax over all words",
        ),
        (["--character-embeddings"], "--character-embeddings are not supported"),
        (
            ["--backbone", "transformer", "--max-target-positions", "3"],
            "segments of --tokens-per-sample 4 are longer than --max-target-positions 3",
        ),
        (
            ["--associative-channels", "8"],
            "--associative-channels 8 would have no effect: it belongs to --layer-memory assoc",
        ),
        (
            ["--associative-correction", "false"],
            "--associative-correction False would have no effect: it belongs to --layer-memory",
        ),
        ([*LAYER_MEMORY, "--memory-tokens", "0"], "is written by memory tokens, and .* is 0"),
        (
            [*LAYER_MEMORY, "--memory-at-start-only"],
            "written by the write block, which --memory-at",
        ),
        ([*LAYER_MEMORY[:2], "--associative-channels", "0"], "0 is too small: use 1 or more"),
        (["--memory-positions", "own"], "own is for --backbone transformer: others have distances"),
        (["--memory-positions", "own", "--backbone", "transformer"], "of --decoder-learned-pos"),
        (
            [
                "--memory-positions",
                "running",
                "--backbone",
                "transformer",
                "--no-token-positional-embeddings",
            ],
            "running and --no-token-positional-embeddings contradict each other",
        ),
        (
            [
                "--memory-positions",
                "running",
                "--backbone",
                "transformer",
                "--max-target-positions",
                "11",
            ],
            "--tokens-per-sample 4 and memory are longer than --max-target-positions 11",
        ),
    ],
)
def test_flags_that_make_no_sense(flags, says):
    with pytest.raises(MemtxError, match=says):
        build(*flags)
