"""Weights that `rmt_lm` takes: those of fairseq's model, of other sizes, and of itself."""

from argparse import Namespace

import pytest
import torch
from conftest import words
from fairseq import tasks
from test_rmt_lm import ADAPTIVE, KINDS, LAYER_MEMORY, SEGMENT, build, configuration, text

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.inspection.kept_tokens import with_tokens


def test_no_memory_is_fairseqs_language_model():
    stock = build(arch="transformer_lm", scale=0)
    flags = ["--backbone", "transformer", "--memory-tokens", "0"]
    ours = build(*flags, *_same_sizes(stock), arch="rmt_lm", scale=0)
    assert ours.state_dict().keys() == stock.state_dict().keys()
    ours.load_state_dict(stock.state_dict())
    tokens = text(SEGMENT)
    torch.testing.assert_close(ours(tokens)[0], stock(tokens)[0])


def test_a_stock_model_gains_memory(caplog):
    stock = build(arch="transformer_lm", scale=0)
    flags = ["--backbone", "transformer", "--memory-tokens", "3"]
    ours = build(*flags, *_same_sizes(stock), arch="rmt_lm", scale=0)
    ours.load_state_dict(stock.state_dict())
    assert "memory extension: 0 memory tokens come from the checkpoint" in caplog.text
    tokens = text(2 * SEGMENT)
    assert not torch.allclose(ours(tokens)[0], stock(tokens)[0])


@pytest.mark.parametrize("backbone", ["transformer", "transformer-xl"])
@pytest.mark.parametrize("before", [["--memory-tokens", "3"], ["--memory-tokens", "0"]], ids=str)
def test_layer_memory_is_added_to_a_trained_model(before, backbone, caplog):
    """Nothing is read from it at first: the model is what it was, and learns on from there.

    So it is with the memory of the paper, whose rows no token sees, where there was none before.
    """
    flags = ["--backbone", backbone]
    old, tokens = build(*flags, *before), text(3 * SEGMENT)
    added = LAYER_MEMORY if "3" in before else [*KINDS["layer memory"], "--memory-tokens", "2"]
    ours = build(*flags, *before, *added, scale=0)
    ours.load_state_dict(old.state_dict())
    assert "the checkpoint has no layer memory; it is newly initialised" in caplog.text
    logits = ours(tokens)[0]
    torch.testing.assert_close(logits, old(tokens)[0])
    logits.pow(2).sum().backward()
    assert all(
        layer.layer_memory.value_proj.weight.grad.any() for layer in ours.decoder.layers.children()
    )


def _same_sizes(stock) -> list[str]:
    args = stock.decoder.args
    names = ("decoder_layers", "decoder_embed_dim", "decoder_ffn_embed_dim")
    return [part for n in names for part in ("--" + n.replace("_", "-"), str(getattr(args, n)))]


def test_adaptive_model_loads_its_own_weights():
    model, tokens = build(*ADAPTIVE), text(5)
    again = build(*ADAPTIVE, seed=2)
    again.load_state_dict(model.state_dict())
    torch.testing.assert_close(again(tokens)[0], model(tokens)[0])


@pytest.mark.parametrize("backbone", ["transformer-xl", "transformer"])
def test_a_checkpoint_of_another_model(backbone):
    """Of the other backbone, or of a model that has no decoder at all."""
    model = build("--backbone", backbone)
    other = "transformer" if backbone == "transformer-xl" else "transformer-xl"
    for state in (build("--backbone", other).state_dict(), {"encoder.weight": torch.ones(1)}):
        with pytest.raises(MemtxError, match="the checkpoint is of another model"):
            model.load_state_dict(state)


def test_a_model_that_was_trained_without_its_activation_function(caplog):
    relu = build()
    old = {**relu.state_dict(), "decoder.version": torch.tensor([3.0])}
    model = build("--activation-fn", "gelu", seed=2)
    model.load_state_dict(old)
    assert "--activation-fn gelu was ignored then" in caplog.text
    torch.testing.assert_close(model(text(5))[0], relu(text(5))[0])
    assert model.state_dict()["decoder.version"] == 3, "so that its own checkpoints say the same"


def test_a_lesion_leaves_positions_with_their_tokens():
    """Of what is left; words keep theirs."""
    flags = (*KINDS["published ARMT"], "--memory-recurrence", "segment", "--memory-tokens", "4")
    whole, cfg = build(*flags), configuration("rmt_lm_tiny", flags)
    task = tasks.TASK_REGISTRY["language_modeling"](cfg.task, words(20))
    trained = Namespace(model=whole, memory_tokens=4, cfg=cfg, task=task)
    some = with_tokens(trained, [0, 2]).double()
    before, after = (of.decoder.embed_positions.weight for of in (whole, some))
    kept = [*range(len(before) - 4), len(before) - 4, len(before) - 2]
    torch.testing.assert_close(after, before[kept])
    torch.testing.assert_close(some.decoder.memory.weight, whole.decoder.memory.weight[[0, 2]])
