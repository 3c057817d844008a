"""The norm of gradients is where they are, also with ``--cpu`` beside a GPU."""

import torch
from fairseq import utils

from fairseq_memtx.compat import gradient_norm
from fairseq_memtx.compat.gradient_norm import brought_to


def parameter(gradient: list[float], device: str = "cpu") -> torch.nn.Parameter:
    made = torch.nn.Parameter(torch.zeros(len(gradient), device=device))
    made.grad = torch.tensor(gradient, device=device)
    return made


def test_norm_goes_to_the_gradients():
    """On another device than where it was taken (``meta`` is one that every machine has)."""
    norm = brought_to([parameter([1.0], "meta")], None)(torch.tensor(2.0))
    assert norm.device.type == "meta"


def test_norm_of_all_workers_is_still_asked_for():
    assert brought_to([parameter([1.0])], lambda norm: norm * 3)(torch.tensor(2.0)) == 6.0


def test_clipping_is_what_it_was(monkeypatch):
    """And it is ours that fairseq's optimisers call."""
    asked = []
    monkeypatch.setattr(gradient_norm, "brought_to", lambda *given: asked.append(given))
    params = [parameter([3.0, 0.0]), parameter([4.0])]
    assert utils.clip_grad_norm_(iter(params), 1.0) == 5.0
    clipped = torch.cat([param.grad for param in params])
    torch.testing.assert_close(clipped, torch.tensor([0.6, 0.0, 0.8]))
    assert asked == [(params, None)]


def test_no_gradients_at_all():
    assert utils.clip_grad_norm_([torch.nn.Parameter(torch.zeros(2))], 1.0) == 0.0
