"""States are trees of named tensors."""

import torch

from fairseq_memtx.memory import detached, emptied, inside, moved, reordered, under

STATE = {
    "memory": torch.arange(6.0).view(3, 1, 2).requires_grad_(),
    "layers.0.A": torch.arange(12.0).view(3, 2, 2),
    "layers.0.visible": torch.ones(3, 4, dtype=torch.bool),
    "layers.10.A": torch.ones(3, 1),
}


def test_parts_by_name():
    first = inside(STATE, "layers.0")
    assert list(first) == ["A", "visible"]
    assert list(inside(STATE, "layers.1")) == [], "and not what is called 10"
    assert under("layers", under("0", first)).keys() == {"layers.0.A", "layers.0.visible"}
    assert inside(under("whole", STATE), "whole").keys() == STATE.keys()


def test_every_tensor_is_treated_alike():
    assert not any(part.requires_grad for part in detached(STATE).values())
    assert all(part.is_meta for part in moved(STATE, "meta").values())
    for name, part in reordered(STATE, torch.tensor([2, 0, 0, 1])).items():
        assert torch.equal(part, STATE[name][[2, 0, 0, 1]])
    for name, part in emptied(STATE, torch.tensor([False, True, False])).items():
        assert part[1].eq(0).all()
        assert part.dtype == STATE[name].dtype
        assert torch.equal(part[::2], STATE[name][::2])
