"""`--checkpoint-segments`: how the memory of a training step grows with the window."""

import weakref

import pytest
import torch
from criterions.test_language_model_losses import criterion_of
from models.test_rmt_lm import build
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

STREAMS, SEGMENT = 4, 64
SIZES = (
    "--decoder-layers 6 --decoder-embed-dim 64 --decoder-ffn-embed-dim 256 "
    f"--decoder-attention-heads 4 --dropout 0.1 --memory-tokens 4 --tokens-per-sample {SEGMENT}"
).split()


class PeakBytes(TorchDispatchMode):
    """The largest number of bytes that tensors made meanwhile hold at once."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[int, int] = {}
        self.peak = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                storage = leaf.untyped_storage()
                if storage._cdata not in self.alive:
                    self.alive[storage._cdata] = storage.nbytes()
                    weakref.finalize(storage, self.alive.pop, storage._cdata, None)
        self.peak = max(self.peak, sum(self.alive.values()))
        return result


def growth(*flags: str, criterion: str = "cross_entropy", words: int = 20) -> float:
    """Peak of a training step on windows of eight segments, in parts of that on one."""
    one, eight = (peak(segments, flags, criterion, words) for segments in (1, 8))
    print(*flags, criterion, f"{words} words: {eight / one:.3f}")
    return eight / one


def peak(segments: int, flags: tuple[str, ...], criterion: str, words: int) -> int:
    """Bytes of the second step, in which the optimizer has its moments."""
    model = build(*SIZES, *flags, scale=0, count=words).float().train()
    optimizer = torch.optim.Adam(model.parameters())
    loss = criterion_of(criterion)
    tokens = torch.randint(4, 24, (STREAMS, segments * SEGMENT))
    sample = {"net_input": {"src_tokens": tokens}, "target": tokens, "ntokens": tokens.numel()}
    with PeakBytes() as bytes_:
        for _ in range(2):
            optimizer.zero_grad()
            loss(model, sample)[0].backward()
            optimizer.step()
    return bytes_.peak


@pytest.mark.parametrize("backbone", ["transformer-xl", "transformer"])
def test_memory_hardly_grows_with_the_window(backbone):
    """Below 1.3 is promised."""
    assert growth("--backbone", backbone, "--checkpoint-segments") < 1.25


def test_without_the_flag_it_grows():
    """So the measure is able to see it."""
    assert growth() > 4


def test_large_vocabulary_needs_the_loss_of_a_segment():
    flags = ["--checkpoint-segments", "--share-decoder-input-output-embed"]
    assert growth(*flags, words=4000) > 1.5
    assert growth(*flags, words=4000, criterion="segment_cross_entropy") < 1.25
