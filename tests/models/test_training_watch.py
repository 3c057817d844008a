"""``--inspect-interval``: figures of memory in training, which goes on as without it."""

from types import SimpleNamespace

import pytest
import torch
from conftest import batch, build, succeed
from fairseq import metrics
from test_gmat_roberta import build as build_gmat
from test_rmt_lm import build as build_rmt

from fairseq_memtx.modules.training_watch import TrainingWatch, watch

FIGURES = {"inspect_writes", "inspect_works", "inspect_reads", "inspect_ignores"}
MORE = {"inspect_norm", "inspect_drift"}


BUILD = {
    "mem_transformer": lambda: build("tokens", 3),
    "rmt_lm": build_rmt,
    "gmat_roberta": build_gmat,
}


def inputs(family: str) -> dict:
    if family == "mem_transformer":
        return {
            "src_tokens": batch(7, 5),
            "src_lengths": torch.tensor([7, 5]),
            "prev_output_tokens": batch(6, 4, left=False),
        }
    return {"src_tokens": batch(11, 7, left=False)}


def update(model, net_input: dict, number: int) -> tuple[list[torch.Tensor], dict]:
    """Outputs, gradients and the next random number of a training step, and what it logged."""
    model.train()
    model.set_num_updates(number)
    torch.manual_seed(1)
    with metrics.aggregate(new_root=True) as logged:
        output = model(**net_input)[0]
    model.zero_grad()
    output.float().square().sum().backward()
    gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    return [output.detach(), *gradients, torch.rand(3)], logged.get_smoothed_values()


@pytest.mark.parametrize("family", ["mem_transformer", "rmt_lm", "gmat_roberta"])
def test_a_watched_step_is_the_same_step(family):
    model, net_input = BUILD[family](), inputs(family)
    before, nothing = update(model, net_input, 4)
    assert not FIGURES & nothing.keys()
    watch(model, SimpleNamespace(inspect_interval=2, memory_tokens=3))
    after, logged = update(model, net_input, 4)
    assert len(before) == len(after)
    assert all(map(torch.equal, before, after))
    assert logged.keys() >= FIGURES | MORE
    assert sum(logged[name] for name in FIGURES) == pytest.approx(1, abs=1e-3)
    assert logged["inspect_norm"] > 0
    _, second = update(model, net_input, 4)
    assert not FIGURES & second.keys(), "once an update, however many batches that has"
    _, odd = update(model, net_input, 5)
    assert not FIGURES & odd.keys()
    assert update(model, net_input, 6)[1].keys() >= FIGURES


def test_nothing_is_watched_in_evaluation_or_without_the_flag():
    model = build("tokens", 3)
    assert watch(model, SimpleNamespace(memory_tokens=3)) is model
    assert not model._forward_hooks
    assert not model._forward_pre_hooks
    watch(model, SimpleNamespace(inspect_interval=1, memory_tokens=3))
    with metrics.aggregate(new_root=True) as logged, torch.no_grad():
        model.eval()(**inputs("mem_transformer"))
    assert not FIGURES & logged.get_smoothed_values().keys()
    assert not [name for name in model.state_dict() if "training_watch" in name]
    assert any(isinstance(module, TrainingWatch) for module in model.modules())


def test_a_pass_that_fails_leaves_nothing_behind():
    model, net_input = build_rmt(), inputs("rmt_lm")
    watch(model, SimpleNamespace(inspect_interval=1, memory_tokens=3))
    model.train()
    with pytest.raises(TypeError):
        model(**net_input, unknown=1)
    hooks = [m for m in model.modules() if m is not model and m._forward_hooks]
    assert hooks == []
    assert update(model, net_input, 1)[1].keys() >= FIGURES


COPY = (
    "--user-dir fairseq_memtx --task algorithmic_sequences --algorithm copy --sequence-length 4 "
    "--segments 3 --arch rmt_lm_tiny --memory-tokens 2 --cpu --decoder-embed-dim 32 "
    "--decoder-ffn-embed-dim 32 --batch-size 4 --train-size 40 --optimizer adam --lr 1e-3 "
    "--criterion cross_entropy --max-update 4 --num-workers 0 --disable-validation "
    "--log-format simple --log-interval 2 --seed 1"
)


@pytest.mark.training
def test_training_is_bit_for_bit_the_same(tmp_path):
    """By the command, with figures in its log."""
    weights = []
    for interval in (0, 2):
        flags = [*COPY.split(), "--save-dir", tmp_path / str(interval)]
        log = succeed("fairseq-train", *flags, "--inspect-interval", interval)
        assert ("inspect_reads" in log) == bool(interval)
        state = torch.load(tmp_path / f"{interval}/checkpoint_last.pt", weights_only=False)
        weights.append(state["model"])
    first, second = weights
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
