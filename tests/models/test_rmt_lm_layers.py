"""Layers of `rmt_lm`: dropout, layers that are left out, recomputed or not kept, activations."""

import pytest
import torch
from test_rmt_lm import KINDS, SEGMENT, build, text

from fairseq_memtx.memory import Segment
from fairseq_memtx.modules.state_holder import StateHolder


def test_dropout_of_every_layer_is_fairseqs():
    """Which ``--retain-dropout`` reaches; torch's own would ignore the flag."""
    assert not [part for part in build().modules() if type(part) is torch.nn.Dropout]


@pytest.mark.parametrize("kind", ["memory", "memory and cache", "cache", "fairseq's layers"])
def test_who_sees_whom_is_worked_out_once_for_all_layers(kind, monkeypatch):
    model, asked, answer = build(*KINDS[kind]), [], Segment.hidden_with
    monkeypatch.setattr(
        Segment, "hidden_with", lambda *those: asked.append(those) or answer(*those)
    )
    model(text(3 * SEGMENT))
    assert len(model.decoder.layers) > 1
    assert len(asked) == 3


LAYERDROP = ["memory", "memory and cache", "cache", "fairseq's layers", "nothing"]
LAYERDROP += ["layer memory", "layer memory, memory and cache", "published ARMT"]


@pytest.mark.parametrize("kind", LAYERDROP)
def test_layerdrop_in_training(kind):
    """Any choice of layers can be left out, from segment to segment, and the cache stays whole."""
    model = build(*KINDS[kind], "--decoder-layerdrop", "0.5").train()
    tokens, holder, different = text(3 * SEGMENT), StateHolder(), set()
    torch.manual_seed(4)
    for _ in range(10):
        result = model(tokens, holder=holder)[0]
        assert result.isfinite().all()
        different.add(round(result.sum().item(), 6))
        cached = [part.size(1) for name, part in holder.state.items() if name.endswith(".rows")]
        assert cached == ([6] * len(model.decoder.layers) if "cache" in kind else [])
    result.sum().backward()
    assert len(different) > 5


@pytest.mark.parametrize("kind", LAYERDROP)
def test_layerdrop_leaves_evaluation_and_generation_alone(kind):
    dropped, whole = build(*KINDS[kind], "--decoder-layerdrop", "0.9"), build(*KINDS[kind])
    tokens, state = text(2 * SEGMENT + 1), {}
    torch.testing.assert_close(dropped(tokens)[0], whole(tokens)[0])
    steps = [dropped.decoder(tokens[:, : end + 1], incremental_state=state)[0] for end in range(9)]
    close = {"rtol": 1e-5, "atol": 1e-6}  # fairseq's attention takes its softmax in float32
    torch.testing.assert_close(torch.cat(steps, dim=1), whole(tokens)[0], **close)


@pytest.mark.parametrize("kind", ["memory and cache", "fairseq's layers"])
def test_a_dropped_layer_passes_its_input_on(kind):
    """With the first of two layers dropped the model is the one that has the second alone."""
    model = build(*KINDS[kind], "--decoder-layerdrop", "0.5").train()
    short = build(*KINDS[kind], "--decoder-layers", "1").eval()
    weights = {
        name.replace("layers.1.", "layers.0."): value
        for name, value in model.state_dict().items()
        if "layers.0." not in name
    }
    short.load_state_dict(weights)
    tokens, found = text(SEGMENT), False
    for seed in range(20):
        torch.manual_seed(seed)
        stays = torch.empty(2).uniform_() > 0.5
        if stays.tolist() == [False, True]:
            torch.manual_seed(seed)
            torch.testing.assert_close(model(tokens)[0], short(tokens)[0])
            found = True
    assert found


@pytest.mark.parametrize("flag", ["--checkpoint-segments", "--checkpoint-activations"])
@pytest.mark.parametrize("kind", ["memory and cache", "fairseq's layers"])
def test_recomputation_drops_the_same_layers(kind, flag):
    """The backward pass computes again what the forward pass had: the same gradients."""
    gradients = []
    for more in ([], [flag]):
        flags = [*KINDS[kind], "--decoder-layerdrop", "0.5", "--attention-dropout", "0.2", *more]
        model = build(*flags).train()
        torch.manual_seed(5)
        model(text(4 * SEGMENT))[0].pow(2).sum().backward()
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name in gradients[0]:
        torch.testing.assert_close(gradients[0][name], gradients[1][name])


def test_activation_function():
    """It takes effect in both backbones, and a model trained while it did not keeps its ReLU."""
    tokens = text(5)
    for backbone in (["--backbone", "transformer-xl"], ["--backbone", "transformer"]):
        relu, gelu = build(*backbone), build(*backbone, "--activation-fn", "gelu")
        assert not torch.allclose(relu(tokens)[0], gelu(tokens)[0])
    again = build("--activation-fn", "gelu", seed=2)
    again.load_state_dict(build("--activation-fn", "gelu").state_dict())
    torch.testing.assert_close(again(tokens)[0], build("--activation-fn", "gelu")(tokens)[0])


def test_layers_to_keep():
    """As in fairseq: the number of layers, and which of a checkpoint's they are."""
    for backbone in ("transformer-xl", "transformer"):
        model = build("--backbone", backbone, "--decoder-layers-to-keep", "1")
        assert len(model.decoder.layers) == 1
