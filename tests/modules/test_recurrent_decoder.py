"""Memory of fairseq's layers in the places and under the mask of the published GPT-2 versions."""

import pytest
import torch
from models.test_rmt_lm import SEGMENT, build, text

from fairseq_memtx.errors import MemtxError

M, POSITIONS = 3, 12
SIZES = ["--decoder-embed-dim", "16", "--decoder-layers", "2", "--decoder-ffn-embed-dim", "24"]
SIZES += ["--decoder-input-dim", "16", "--decoder-output-dim", "16"]
SIZES += ["--decoder-attention-heads", "2", "--decoder-learned-pos"]
SIZES += ["--max-target-positions", str(POSITIONS)]
WORDS = torch.tensor([[5, 9, 7]])  # which memory is made equal to
PLACES = {
    "own": [*range(POSITIONS, POSITIONS + M), *range(SEGMENT), *range(POSITIONS, POSITIONS + M)],
    "running": list(range(2 * M + SEGMENT)),
}


@pytest.mark.parametrize("kind", PLACES)
def test_memory_is_words_of_a_causal_model(kind):
    """A `transformer_lm` reads ``[memory; tokens; memory]`` as words, in places set by hand."""
    flags = ["--memory-tokens", str(M), "--causal-memory", "--memory-positions", kind]
    ours = build(*SIZES, "--backbone", "transformer", *flags).decoder
    stock = build(*SIZES, arch="transformer_lm").decoder
    weights = ours.state_dict()
    del weights["memory.weight"]
    table = weights.pop("embed_positions.weight")
    weights["embed_positions.weight"] = table[: POSITIONS + 2]
    stock.load_state_dict(weights)
    with torch.no_grad():
        ours.memory.weight.copy_(stock.embed_scale * stock.embed_tokens(WORDS[0]))
    rows = table[2:][PLACES[kind]]
    stock.embed_positions.forward = lambda tokens, **_: rows
    tokens = text(SEGMENT)
    block = WORDS.expand(2, -1)
    expected, _ = stock(torch.cat([block, tokens, block], dim=1), features_only=True)
    reading = ours.loop.read(tokens)
    torch.testing.assert_close(reading.features, expected[:, M:-M])
    torch.testing.assert_close(reading.state["memory"], expected[:, -M:])


@pytest.mark.parametrize("before", [0, 2, 5])
def test_positions_of_its_own_are_gained_and_kept(before):
    """By a model without memory, or with less or more of it; tokens keep their places."""
    flags = [*SIZES, "--backbone", "transformer", "--memory-tokens"]
    own = ["--memory-positions", "own"]
    saved = build(*flags, str(before), *(own if before else [])).state_dict()
    model = build(*flags, str(M), *own, seed=2)
    fresh = model.decoder.embed_positions.weight.detach().clone()
    model.load_state_dict(saved)
    loaded, kept = model.decoder.embed_positions.weight, saved["decoder.embed_positions.weight"]
    common = POSITIONS + 2 + min(before, M)
    torch.testing.assert_close(loaded[:common], kept[:common])
    torch.testing.assert_close(loaded[common:], fresh[common:])
    shorter = build(*SIZES[:-1], "7", "--backbone", "transformer", "--memory-tokens", str(M), *own)
    with pytest.raises(MemtxError, match="1 weights have another shape"):
        shorter.load_state_dict(saved)
