"""Losses of `rmt_lm`: fairseq's and our own give what the probabilities say."""

import pytest
import torch
from conftest import words
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from models.test_rmt_lm import build, text

ADAPTIVE = ["--adaptive-softmax-cutoff", "10,15"]
PAD = 1
# fairseq's losses are in float32.
CLOSE = {"rtol": 1e-5, "atol": 1e-5, "check_dtype": False}


def criterion_of(name: str, *flags: str):
    parser = options.get_training_parser()
    arguments = ["unused", "--arch", "rmt_lm_tiny", "--criterion", name, "--task"]
    arguments += ["language_modeling", "--ddp-backend", "legacy_ddp", *flags]
    args = options.parse_args_and_arch(parser, arguments)
    task = tasks.TASK_REGISTRY["language_modeling"](args, words())
    return task.build_criterion(convert_namespace_to_omegaconf(args).criterion)


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (ADAPTIVE, "adaptive_loss"),
        (ADAPTIVE, "segment_cross_entropy"),
        ([*ADAPTIVE, "--backbone", "transformer"], "segment_cross_entropy"),
        ([], "segment_cross_entropy"),
    ],
)
def test_loss_of_every_word(flags, name):
    """Also of the second word in a cluster, whose number there is that of padding."""
    model, tokens, criterion = build(*flags), text(5, streams=1), criterion_of(name)
    expected = model.get_normalized_probs(model(tokens), log_probs=True)[0, -1]
    for word in range(2, len(words())):
        target = torch.full_like(tokens, PAD)
        target[0, -1] = word
        sample = {"net_input": {"src_tokens": tokens}, "target": target, "ntokens": 1}
        loss, size, log = criterion(model, sample)
        assert size == log["ntokens"] == 1
        torch.testing.assert_close(loss.squeeze(), -expected[word], **CLOSE)


def test_segments_have_the_loss_and_the_gradient_of_the_whole():
    model, tokens = build(scale=0), text(11)
    target = text(11, seed=4)
    target[0, 8:] = PAD
    sample = {
        "net_input": {"src_tokens": tokens, "warm_up": 1},
        "target": target[:, 4:].contiguous(),
        "ntokens": 2 * 7 - 3,
    }
    results = []
    for name in ("cross_entropy", "segment_cross_entropy"):
        for flags in ([], ["--sentence-avg"]):
            model.zero_grad()
            loss, size, log = criterion_of(name, *flags)(model, sample)
            loss.backward()
            gradient = model.decoder.embed_tokens.weight.grad.clone()
            results.append((loss, gradient, size, log))
    for one, other in zip(results[:2], results[2:]):
        torch.testing.assert_close(other[:2], one[:2], **CLOSE)
        assert other[2] == one[2]
        assert other[3].keys() == one[3].keys()


def test_the_loss_of_half_precision_is_in_full():
    """Logits of few digits, whose logarithms and sum have all."""
    model, tokens, target = build().bfloat16(), text(11), text(11, seed=4)
    sample = {"net_input": {"src_tokens": tokens}, "target": target, "ntokens": target.numel()}
    loss, _, _ = criterion_of("segment_cross_entropy")(model, sample)
    logits = model(tokens)[0].double().flatten(0, 1)
    expected = torch.nn.functional.cross_entropy(logits, target.flatten(), reduction="sum")
    assert loss.dtype is torch.float32
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=0)
