"""``fairseq-memtx export``: the plain model is fairseq's, whatever it is made of."""

from pathlib import Path

import pytest
import torch
from conftest import words
from models.test_rmt_lm import ADAPTIVE, KINDS, SEGMENT, build, text
from torch import Tensor

from fairseq_memtx.convert.plain_pytorch import check_equal, plain_model
from fairseq_memtx.errors import MemtxError
from fairseq_memtx.memory import ContinuedText, SegmentLanguageModel, capture_attention, load, save
from fairseq_memtx.modules.state_holder import StateHolder

FAIRSEQ = ["--backbone", "transformer"]
BANDS = [*FAIRSEQ, "--adaptive-input", "--adaptive-input-cutoff"]
TIED = [*BANDS, "10,15", *ADAPTIVE, "--tie-adaptive-weights"]
SAME_WIDTH = ["--decoder-input-dim", "24", "--decoder-output-dim", "24"]
OTHERS = {
    "learned positions": [*FAIRSEQ, "--decoder-learned-pos"],
    "longer table of positions": [
        *FAIRSEQ, "--decoder-learned-pos", "--max-target-positions", "9",
    ],
    "no positions": [*FAIRSEQ, "--no-token-positional-embeddings"],
    "embedding not scaled": [*FAIRSEQ, "--no-scale-embedding"],
    "norm of the embedding": [*FAIRSEQ, "--layernorm-embedding"],
    "norms first": [*FAIRSEQ, "--decoder-normalize-before"],
    "norms first, none last": [
        *FAIRSEQ, "--decoder-normalize-before", "--no-decoder-final-norm",
    ],
    "projections": [*FAIRSEQ, *SAME_WIDTH],
    "gelu": [*FAIRSEQ, "--activation-fn", "gelu"],
    "adaptive softmax": [*FAIRSEQ, *ADAPTIVE],
    "tied adaptive softmax": TIED,
    "tied projections too": [*TIED, "--tie-adaptive-proj"],
    "distances: adaptive softmax": ADAPTIVE,
    "distances: projections": SAME_WIDTH,
    "distances: adaptive softmax, projections": [*ADAPTIVE, *SAME_WIDTH],
    "distances: norm of the embedding": ["--layernorm-embedding", "--no-scale-embedding"],
    "layers left out": ["--decoder-layerdrop", "0.5"],
    "layers kept": ["--decoder-layers-to-keep", "1"],
}  # fmt: skip
# rmt_lm is tied to nothing, rmt_lm_tiny to its embedding.
UNTIED = {
    "output of its own": FAIRSEQ,
    "distances: output of its own": [],
    "output of another width": [
        *FAIRSEQ, "--decoder-input-dim", "24", "--decoder-output-dim", "32",
    ],
    "bands come in": [*BANDS, "10,15"],
    "bands come in, others go out": [*BANDS, "7", *ADAPTIVE],
}  # fmt: skip
SIZES = [
    f"--decoder-{name}={size}"
    for name, size in {
        "layers": 2,
        "embed-dim": 16,
        "ffn-embed-dim": 24,
        "attention-heads": 2,
    }.items()
]


def exported(model, folder: Path) -> SegmentLanguageModel:
    save(plain_model(model, words().symbols), folder, {})
    return load(folder)


def scores(model, tokens: Tensor, holder: StateHolder) -> Tensor:
    """Logits of fairseq's model, or logarithms of probabilities of an adaptive softmax."""
    output, softmax = model(tokens, holder=holder)[0], model.decoder.adaptive_softmax
    return output if softmax is None else softmax.get_log_prob(output, None)


def make(kind: str):
    if kind in UNTIED:
        return build(*SIZES, *UNTIED[kind], arch="rmt_lm")
    return build(*{**KINDS, **OTHERS}[kind])


@torch.no_grad()
@pytest.mark.parametrize("kind", [*KINDS, *OTHERS, *UNTIED])
def test_it_reads_what_fairseqs_model_reads(kind, tmp_path):
    """Windows of several segments, then padding, then a text that grows: logits and states."""
    model, holder, state = make(kind), StateHolder(), None
    plain = exported(model, tmp_path)
    check_equal(model, plain)
    # fairseq takes GELU in float32.
    close = {"rtol": 0, "atol": 1e-6 if kind == "gelu" else 1e-12}
    tokens = text(6 * SEGMENT + 2)
    tokens[0, -3:] = plain.settings.padding
    for window in tokens.split(2 * SEGMENT, dim=1):
        before, (found, state) = state, plain(window, state)
        torch.testing.assert_close(found, scores(model, window, holder), **close)
        assert state.keys() == holder.state.keys()
        for name, part in holder.state.items():
            torch.testing.assert_close(state[name], part, **close)
    tokens = text(SEGMENT + 3, seed=4)
    written, whole = ContinuedText(plain.loop, before), plain(tokens, before)[0]
    steps = [plain.output(written.read(tokens[:, : end + 1])) for end in range(tokens.size(1))]
    torch.testing.assert_close(torch.cat(steps, dim=1), whole)


def test_a_model_that_is_older_than_its_activation():
    model = build("--activation-fn", "gelu")
    model.load_state_dict({**model.state_dict(), "decoder.version": torch.tensor([3.0])})
    check_equal(model, plain_model(model, words().symbols))


@torch.no_grad()
@pytest.mark.parametrize("kind", ["memory and cache", "fairseq's layers", "adaptive softmax"])
def test_in_float32(kind, tmp_path):
    model = make(kind).float()
    found, _ = exported(model, tmp_path)(text(3 * SEGMENT))
    wanted = scores(model, text(3 * SEGMENT), StateHolder())
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


def test_tied_weights_are_written_once_and_stay_tied(tmp_path):
    for kind, count in [("memory", 1), ("tied adaptive softmax", 3), ("output of its own", 0)]:
        (folder := tmp_path / kind).mkdir()
        plain = exported(make(kind), folder)
        tables = zip(plain.embedding.tables, plain.output.tables)
        assert sum(one.weight is other.weight for one, other in tables) == count
        own = sum(weight.numel() for weight in plain.parameters()) * 8
        assert own < (folder / "model.safetensors").stat().st_size < own + 9000


def test_its_heads_can_be_looked_at(tmp_path):
    """As those of all families can be, and they read the same."""
    for kind in ("memory and cache", "fairseq's layers"):
        model = make(kind)
        (folder := tmp_path / kind).mkdir()
        plain, maps = exported(model, folder), []
        for one in (model.decoder, plain):
            with capture_attention(one) as kept, torch.no_grad():
                one(text(2 * SEGMENT))
            maps.append(kept)
        assert maps[0].keys() == maps[1].keys() != set()
        for name, calls in maps[0].items():
            torch.testing.assert_close(maps[1][name], calls)


@pytest.mark.parametrize(
    "flag", ["quant_noise_pq", "quant_noise_scalar", "base_layers", "decoder_xformers_att_config"]
)
def test_what_has_no_part_here_is_refused(flag):
    model = build()
    setattr(model.decoder.args, flag, 1)
    with pytest.raises(MemtxError, match=f"--{flag.replace('_', '-')} cannot be exported: it has"):
        plain_model(model, words().symbols)


def test_weights_that_nobody_knows_are_refused():
    model = build()
    model.decoder.layers[0].gate = torch.nn.Linear(2, 2)
    with pytest.raises(MemtxError, match=r"cannot be exported: .*layers\.0\.gate"):
        plain_model(model, words().symbols)


@pytest.mark.parametrize("kind", ["memory", "adaptive softmax"])
def test_other_logits_are_refused(kind):
    """Of a part that has no weights, and that is not known here."""
    model = make(kind)
    plain = plain_model(model, words().symbols)
    model.decoder.embed_scale *= 1.1
    with pytest.raises(MemtxError, match="plain PyTorch gives it other logits"):
        check_equal(model, plain)


def test_another_memory_is_refused():
    """Which tells from the second segment on."""
    model = make("memory")
    plain = plain_model(model, words().symbols)
    model.decoder.memory_settings["recurrent"] = False
    with pytest.raises(MemtxError, match="plain PyTorch gives it other logits"):
        check_equal(model, plain)
