"""The fused loss against fairseq's, values and gradients."""

from argparse import Namespace

import pytest
import torch
from conftest import batch, build, toy_task, words
from fairseq.criterions.label_smoothed_cross_entropy import (
    LabelSmoothedCrossEntropyCriterion,
    label_smoothed_nll_loss,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from fairseq_memtx.criterions.fused_label_smoothed_cross_entropy import (
    FusedLabelSmoothedCrossEntropy,
)
from fairseq_memtx.modules import label_smoothing
from fairseq_memtx.modules.label_smoothing import label_smoothed_nll

PAD = 1


@settings(deadline=None, max_examples=40)
@given(
    rows=st.integers(1, 9),
    vocabulary=st.integers(2, 12),
    epsilon=st.sampled_from([0.0, 0.1, 0.5]),
    size=st.sampled_from([1e-3, 1.0, 100.0]),
    seed=st.integers(0, 999),
    at_once=st.sampled_from([1, 24, 2**21]),  # rows one by one, some, all
)
def test_equals_fairseqs(rows, vocabulary, epsilon, size, seed, at_once):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_smoothing, "_AT_ONCE", at_once)
        equals_fairseqs(rows, vocabulary, epsilon, size, seed)


def equals_fairseqs(rows: int, vocabulary: int, epsilon: float, size: float, seed: int) -> None:
    numbers = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, vocabulary, generator=numbers, dtype=torch.float64) * size
    logits.requires_grad_()
    target = torch.randint(0, vocabulary, (rows,), generator=numbers)  # padding among them
    loss, nll = label_smoothed_nll_loss(
        torch.log_softmax(logits, dim=-1), target, epsilon, ignore_index=PAD
    )
    ours, our_nll = label_smoothed_nll(logits, target, epsilon, PAD)
    torch.testing.assert_close(ours, loss.detach().reshape(()))
    torch.testing.assert_close(our_nll, nll.detach().reshape(()))
    expected = torch.autograd.grad(loss * 3, logits)[0]
    torch.testing.assert_close(torch.autograd.grad(ours * 3, logits)[0], expected)


@pytest.mark.parametrize("trains", [True, False])
def test_the_table_of_gradients_is_made_for_training_alone(trains, monkeypatch):
    """What is as large as the logits; the loss is the same with it and without."""
    made = []

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            made.extend(part.numel() for part in [out] if isinstance(part, torch.Tensor))
            return out

    monkeypatch.setattr(label_smoothing, "_AT_ONCE", 120)
    logits = torch.randn(40, 60, requires_grad=True)
    target = torch.arange(40) % 6
    expected = label_smoothed_nll(logits, target, 0.1, PAD)
    with torch.set_grad_enabled(trains):
        given = logits * 1  # as a model gives them
        with Sizes():
            losses = label_smoothed_nll(given, target, 0.1, PAD)
    assert list(map(float, losses)) == list(map(float, expected))
    assert max(made) == logits.numel() if trains else max(made) < logits.numel() / 10


def test_second_backward_is_refused():
    """The gradient is written over the table it is taken from; that may not go unnoticed."""
    logits = torch.randn(4, 6, requires_grad=True)
    loss, _ = label_smoothed_nll(logits, torch.tensor([0, PAD, 3, 5]), 0.1, PAD)
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_float32(dtype):
    logits = torch.randn(500, 40).to(dtype).requires_grad_()
    target = torch.randint(2, 40, (500,))
    loss, _ = label_smoothed_nll(logits, target, 0.1, PAD)
    exact, _ = label_smoothed_nll(logits.double(), target, 0.1, PAD)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), exact, rtol=1e-5, atol=0)
    grad = torch.autograd.grad(loss, logits)[0]
    assert grad.dtype == dtype
    expected = torch.autograd.grad(exact, logits)[0]
    torch.testing.assert_close(grad, expected, rtol=2e-2, atol=1e-3)


def test_small_gradients_outlast_float16():
    """As where a training's loss is multiplied by a scale, so that they can be told from zero."""
    logits = torch.zeros(1, 40_000, dtype=torch.float16, requires_grad=True)
    loss, _ = label_smoothed_nll(logits, torch.tensor([5]), 0.0, PAD)
    grad = torch.autograd.grad(loss * 2**15, logits)[0]
    torch.testing.assert_close(
        grad[0, 6].double(), torch.tensor(2**15 / 40_000).double(), rtol=1e-3, atol=0
    )


@pytest.mark.parametrize("prefix", [0, 2])
@pytest.mark.parametrize("reduce", [True, False])
def test_criterion_gives_the_same_log(prefix, reduce):
    task = Namespace(**vars(toy_task()))
    theirs, ours = (
        kind(task, sentence_avg=False, label_smoothing=0.1, ignore_prefix_size=prefix,
             report_accuracy=True)
        for kind in (LabelSmoothedCrossEntropyCriterion, FusedLabelSmoothedCrossEntropy)
    )  # fmt: skip
    # fairseq's get_normalized_probs is in float32, whatever the model's type.
    model, target = build().float(), batch(6, 3, left=False)
    sample = {
        "net_input": {
            "src_tokens": batch(5, 5), "src_lengths": None, "prev_output_tokens": target,
        },
        "target": target,
        "ntokens": int(target.ne(words().pad()).sum()),
    }  # fmt: skip
    expected, actual = theirs(model, sample, reduce), ours(model, sample, reduce)
    torch.testing.assert_close(actual[0].reshape(-1), expected[0].reshape(-1))
    assert actual[1] == expected[1]
    for name, value in expected[2].items():
        torch.testing.assert_close(
            torch.as_tensor(actual[2][name]).double().reshape(-1),
            torch.as_tensor(value).double().reshape(-1),
        )
