"""Figures of the memory."""

import torch

from fairseq_memtx.memory import memory_statistics


def test_figures_by_hand():
    """One stream, two memory tokens of two channels, two segments."""
    before = torch.tensor([[[3.0, 4.0], [0.0, 2.0]]])
    middle = torch.tensor([[[3.0, 0.0], [0.0, 1.0]]], requires_grad=True)
    after = 2 * middle
    after.retain_grad()
    (5 * middle).sum().backward()
    norm, change, gradient = memory_statistics([before, middle, after])
    assert norm == (3 + 1 + 6 + 2) / 4
    assert torch.isclose(change, torch.tensor((4 / 5 + 1 / 2 + 1 + 1) / 4))
    assert gradient == 10, "of four channels, each 5; nothing reached the last memory"


def test_no_gradient():
    assert memory_statistics([torch.ones(1, 1, 3), torch.ones(1, 1, 3)]).gradient == 0
