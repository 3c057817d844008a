"""Dropout of elements: how many, which, and what becomes of the others."""

import pytest
import torch

from fairseq_memtx.memory import drop


@pytest.mark.parametrize("dropout", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rate_and_gain(dropout, dtype):
    """As many are dropped as asked for, independently, and the mean stays what it was."""
    torch.manual_seed(1)
    ones = torch.ones(1000, 1001, dtype=dtype, requires_grad=True)
    dropped = drop(ones, dropout)
    assert set(dropped.detach().mul(1 - dropout).round(decimals=3).unique().tolist()) == {0.0, 1.0}
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)
    gone = dropped.eq(0)
    for together in (gone[1:] & gone[:-1], gone[:, 1:] & gone[:, :-1], gone[:, 4:] & gone[:, :-4]):
        assert together.double().mean().item() == pytest.approx(dropout**2, abs=3e-3)
    dropped.sum().backward()
    assert torch.equal(ones.grad, dropped.detach())


def test_the_seed_is_torchs():
    def dropped(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return torch.cat([drop(torch.ones(99), 0.5), drop(torch.ones(99), 0.5)])

    assert torch.equal(dropped(1), dropped(1))
    assert not torch.equal(dropped(1), dropped(2))
    assert not torch.equal(*dropped(1).chunk(2))


def test_everything_and_nothing():
    assert torch.equal(drop(torch.ones(9), 1.0), torch.zeros(9))
    assert drop(torch.ones(0), 0.5).shape == (0,)
    ones = torch.ones(300_000)
    assert torch.equal(drop(ones, 0.0), ones)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_drops_the_same(dtype):
    torch.manual_seed(1)
    exact = drop(torch.ones(1000), 0.3)
    torch.manual_seed(1)
    half = drop(torch.ones(1000, dtype=dtype), 0.3)
    assert half.dtype is dtype
    torch.testing.assert_close(half.float(), exact, rtol=4e-3, atol=0)
