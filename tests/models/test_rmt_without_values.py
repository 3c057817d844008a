"""RMT on the ``meta`` device, and compiled."""

import pytest
import torch
from test_rmt_lm import ADAPTIVE, KINDS, SEGMENT, build, text

from fairseq_memtx.criterions.segment_cross_entropy import SegmentCrossEntropy
from fairseq_memtx.models.rmt_lm import ARCHITECTURES
from fairseq_memtx.modules.state_holder import StateHolder

SMALL = [
    "--decoder-layers", "2", "--decoder-embed-dim", "16", "--decoder-input-dim", "16",
    "--decoder-output-dim", "16", "--decoder-ffn-embed-dim", "32",
    "--decoder-attention-heads", "2",
]  # fmt: skip
DROPPED = ["--dropout", "0.1", "--attention-dropout", "0.1", "--activation-dropout", "0.1"]


def window(segments: int = 2, device: str = "meta") -> dict:
    """A batch whose second half of a stream is padding, and whose other one begins anew."""
    tokens = text(segments * SEGMENT)
    tokens[0, SEGMENT + 1 :] = 1
    resets = torch.tensor([[False] * segments, [False, True, False][:segments]])
    net_input = {"src_tokens": tokens.to(device), "resets": resets.to(device), "warm_up": 1}
    return {"net_input": net_input, "target": tokens[:, SEGMENT:].to(device), "ntokens": 9}


def read_twice(model, device: str = "meta") -> torch.Tensor:
    """The loss of two windows, of which the second goes on where the first one ended."""
    batch, losses = window(device=device), []
    criterion = SegmentCrossEntropy(None, sentence_avg=False)
    batch["net_input"]["holder"] = StateHolder(advance=2)
    for _ in range(2):
        if model.decoder.adaptive_softmax is None:
            losses.append(criterion(model, batch)[0])
        else:  # how many words are in a cluster is a look that fairseq's adaptive softmax takes
            losses.append(model(**batch["net_input"], features_only=True)[0].pow(2).sum())
    return sum(losses)


@pytest.mark.parametrize("recompute", [[], ["--checkpoint-segments"], ["--checkpoint-activations"]])
@pytest.mark.parametrize("flags", [*KINDS.values(), ["--decoder-layerdrop", "0.5"]], ids=str)
def test_nobody_looks_at_a_value(flags, recompute):
    model = build(*flags, *DROPPED, *recompute).float().to("meta")
    _check_on_meta(model)


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("backbone", ["transformer-xl", "transformer"])
def test_every_architecture_on_meta(arch, backbone):
    flags = [*SMALL, "--backbone", backbone]
    if backbone == "transformer":
        flags += ["--cache-length", "0"]
    if "wiki103" in arch:
        flags += ["--adaptive-softmax-cutoff", "10,15"]
    _check_on_meta(build(*flags, arch=arch).float().to("meta"))


@pytest.mark.parametrize(
    ("arch", "layers", "channels"),
    [("armt_lm", 6, 512), ("armt_lm_wiki103", 16, 410), ("armt_lm_tiny", 2, 64)],
)
def test_whole_presets_with_a_memory_in_every_layer(arch, layers, channels):
    """Queries and keys of so many channels, values, and the strength with its bias."""
    keys = 16 if "tiny" in arch else 64
    with torch.device("meta"):
        model = build(*ADAPTIVE, arch=arch, scale=0)
    memories = [layer.layer_memory for layer in model.decoder.layers.children()]
    assert len(memories) == layers
    for memory in memories:
        assert memory.correction
        assert sum(p.numel() for p in memory.parameters()) == (
            2 * keys * channels + channels**2 + channels + 1
        )
    assert not model.decoder.loop.reads


def _check_on_meta(model) -> None:
    read_twice(model.train()).backward()
    for name, parameter in model.named_parameters():
        if "output_projection" in name or "adaptive_softmax" in name:
            continue
        assert parameter.grad is not None or "layers" in name, name
    for gradients in (True, False):
        with torch.set_grad_enabled(gradients):
            assert read_twice(model.eval()).is_meta


@pytest.mark.training
@pytest.mark.parametrize("recompute", [[], ["--checkpoint-segments"]], ids=["", "recomputed"])
@pytest.mark.parametrize("kind", ["memory and cache", "fairseq's layers"])
def test_one_graph(kind, recompute):
    """Of a training pass whose state goes on; loss, state and gradients are those of eager mode."""
    model = build(*KINDS[kind], *DROPPED, *recompute).float().train()
    torch._dynamo.reset()
    passes = []
    for reader in (model, torch.compile(model, fullgraph=True, backend="aot_eager")):
        model.zero_grad()
        holder = StateHolder(
            {"memory": torch.ones(2, len(model.decoder.memory.weight), model.decoder.embed_dim)},
            advance=2,
        )
        torch.manual_seed(1)
        tokens = window(segments=3, device="cpu")["net_input"]["src_tokens"]
        loss = reader(tokens, holder=holder)[0].log_softmax(dim=-1).square().mean()
        loss.backward()
        passes.append([loss, *holder.state.values(), *(p.grad for p in model.parameters())])
        assert len(holder.memories) == 4
    torch.testing.assert_close(*passes)
