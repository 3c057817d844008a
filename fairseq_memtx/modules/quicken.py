"""fairseq's dropout and attention, replaced by those that are quick in training."""

from fairseq.modules import FairseqDropout, MultiheadAttention
from torch import Tensor, nn

from ..memory import drop
from .quick_attention import QuickAttention


class QuickDropout(FairseqDropout):
    """As its base class: `memory.drop` in place of torch's."""

    def forward(self, x: Tensor, inplace: bool = False) -> Tensor:
        """``x`` in evaluation, unless dropout is retained."""
        if self.p > 0 and (self.training or self.apply_during_inference):
            return drop(x, self.p)
        return x


def quicken(module: nn.Module) -> nn.Module:
    """``module``, with quick ones for every dropout and attention of fairseq's own inside.

    Weights keep their names and places.
    """
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is FairseqDropout:
                setattr(parent, name, QuickDropout(child.p, child.module_name))
            elif type(child) is MultiheadAttention:
                setattr(parent, name, QuickAttention(child))
    return module
