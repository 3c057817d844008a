"""``convert hf-gpt2 --memory-weights``: what published RMT and ARMT compute, computed here.

The judge is written from their description, see `published_gpt2`; their code is not at hand.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hugging_face_folders import PIECES, write_tokenizer
from published_gpt2 import PublishedGpt2

from fairseq_memtx.commands.main import run
from fairseq_memtx.errors import MemtxError
from fairseq_memtx.models.rmt_lm import RmtLanguageModel

WORDS = [*PIECES, "<|endoftext|>"]
CHANNELS, LAYERS, HEADS, POSITIONS, MEMORY, KEYS = 8, 2, 2, 16, 3, 4
CONFIG = {
    "model_type": "gpt2", "vocab_size": len(WORDS), "n_embd": CHANNELS, "n_layer": LAYERS,
    "n_head": HEADS, "n_positions": POSITIONS,
}  # fmt: skip
CELL = "memory_cell.model.transformer"


def weights(associative: bool, own_positions: bool = True) -> dict[str, torch.Tensor]:
    """A published state dict of random numbers."""
    inner = 4 * CHANNELS
    block: dict[str, tuple[int, ...]] = {
        "ln_1.weight": (CHANNELS,), "ln_1.bias": (CHANNELS,), "ln_2.weight": (CHANNELS,),
        "ln_2.bias": (CHANNELS,), "attn.c_attn.weight": (CHANNELS, 3 * CHANNELS),
        "attn.c_attn.bias": (3 * CHANNELS,), "attn.c_proj.weight": (CHANNELS, CHANNELS),
        "attn.c_proj.bias": (CHANNELS,), "mlp.c_fc.weight": (CHANNELS, inner),
        "mlp.c_fc.bias": (inner,), "mlp.c_proj.weight": (inner, CHANNELS),
        "mlp.c_proj.bias": (CHANNELS,),
    }  # fmt: skip
    beside = {
        "W_mq.weight": (KEYS, CHANNELS), "W_mk.weight": (KEYS, CHANNELS),
        "W_mv.weight": (CHANNELS, CHANNELS), "W_mb.weight": (1, CHANNELS), "W_mb.bias": (1,),
    }  # fmt: skip
    places = POSITIONS + MEMORY * (associative and own_positions)
    shapes = {
        "memory_cell.memory": (MEMORY, CHANNELS),
        f"{CELL}.wte.weight": (len(WORDS), CHANNELS),
        f"{CELL}.wpe.weight": (places, CHANNELS),
        f"{CELL}.ln_f.weight": (CHANNELS,),
        f"{CELL}.ln_f.bias": (CHANNELS,),
    }
    for layer in range(LAYERS):
        name = f"{CELL}.h.{layer}"
        inside = f"{name}.layer" if associative else name
        shapes |= {f"{inside}.{part}": shape for part, shape in block.items()}
        shapes |= {f"{name}.{part}": shape for part, shape in beside.items() if associative}
    numbers = torch.Generator().manual_seed(1)
    found = {name: torch.randn(shape, generator=numbers) / 2 for name, shape in shapes.items()}
    found["memory_cell.model.lm_head.weight"] = found[f"{CELL}.wte.weight"]
    mask = f"{CELL}.h.0.{'layer.' if associative else ''}attn.bias"
    return {**found, mask: torch.ones(1, 1, POSITIONS, POSITIONS).tril()}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A GPT-2 of Hugging Face, but for its weights."""
    made = tmp_path / "gpt2"
    made.mkdir()
    (made / "config.json").write_text(json.dumps(CONFIG))
    write_tokenizer(made, {word: row for row, word in enumerate(WORDS)})
    return made


def convert(folder: Path, state: dict[str, torch.Tensor], *flags: object):
    """The decoder that is made of a state dict."""
    torch.save(state, folder.parent / "state.pt")
    made = folder.parent / "made"
    flags = ("--memory-weights", folder.parent / "state.pt", *flags)
    run(["convert", "hf-gpt2", *map(str, (folder, made, *flags))])
    hub = RmtLanguageModel.from_pretrained(str(made), "model.pt", str(made), bpe=None)
    model = hub.models[0].double()
    model.eval()
    return model


def random_words(count: int) -> torch.Tensor:
    """Numbers of words of a text."""
    return torch.randint(len(WORDS), (count,), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(
    ("associative", "own_positions", "flags"),
    [
        (False, False, []),
        (True, True, []),
        (True, False, []),
        (True, True, ["--without-correction"]),
    ],
    ids=["RMT", "ARMT", "ARMT without positions of its memory", "ARMT without correction"],
)
@torch.no_grad()
def test_published_models_compute_the_same(associative, own_positions, flags, folder):
    """Over three segments and a half, as long as there are positions for."""
    state = weights(associative, own_positions)
    model = convert(folder, state, *flags)
    blocks = 0 if own_positions else 1 if associative else 2
    free = POSITIONS - blocks * MEMORY
    assert model.decoder.segment_length == free
    words = random_words(3 * free + free // 2)
    judge = PublishedGpt2(state, HEADS, POSITIONS, correction=not flags)
    expected = judge.logits(words.tolist(), free)
    ours = torch.tensor([2 if word == len(WORDS) - 1 else word + 4 for word in range(len(WORDS))])
    found, _ = model(src_tokens=ours[words][None])
    torch.testing.assert_close(found[0][:, ours], expected, rtol=0, atol=1e-9)


@torch.no_grad()
def test_segments_of_another_length(folder):
    state = weights(associative=True)
    model = convert(folder, state, "--segment-length", 5)
    words = random_words(13) % (len(WORDS) - 1)
    expected = PublishedGpt2(state, HEADS, POSITIONS).logits(words.tolist(), 5)
    found, _ = model(src_tokens=words[None] + 4)
    torch.testing.assert_close(found[0][:, 4:], expected[:, :-1], rtol=0, atol=1e-9)


def without(state: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    """The same without a weight."""
    return {key: weight for key, weight in state.items() if key != name}


@pytest.mark.parametrize(
    ("state", "flags", "says"),
    [
        (without(weights(True), "memory_cell.memory"), [], "has no memory_cell.memory: it is of"),
        (weights(False), ["--segment-length", 11], "segments of 11 tokens .* positions for 10"),
        (weights(True), ["--segment-length", 17], "segments of 17 tokens .* positions for 16"),
        (
            weights(True) | {f"{CELL}.wpe.weight": torch.ones(18, CHANNELS)},
            [],
            "has 18 positions, which are neither the 16 of config.json nor 3 more",
        ),
        (
            without(weights(True), f"{CELL}.h.1.W_mk.weight"),
            [],
            r"layers\.1\.layer_memory\.key_proj\.weight has the shape None",
        ),
        (
            without(weights(True), f"{CELL}.h.0.W_mk.weight"),
            [],
            r"has no transformer\.h\.0\.W_mk\.weight: it is of another model or cut off",
        ),
        (
            weights(True) | {f"{CELL}.h.0.W_me.weight": torch.ones(2)},
            [],
            r"weights that cannot be converted: transformer\.h\.0\.W_me",
        ),
    ],
)
def test_refusals(state, flags, says, folder):
    with pytest.raises(MemtxError, match=says) as error:
        convert(folder, state, *flags)
    assert "\n" not in str(error.value)
    assert not (folder.parent / "made").exists()


def test_a_file_that_is_not_there(folder, tmp_path):
    flags: list[Any] = [folder, tmp_path / "made", "--memory-weights", tmp_path / "none.pt"]
    with pytest.raises(MemtxError, match=r"there is no file .*none\.pt"):
        run(["convert", "hf-gpt2", *map(str, flags)])
