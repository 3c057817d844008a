"""fairseq's dropout, drawn quickly on a CPU."""

from fairseq.modules import FairseqDropout
from torch import Tensor, nn

from ..memory import drop


class QuickDropout(FairseqDropout):
    """As its base class: `memory.drop` in place of torch's."""

    def forward(self, x: Tensor, inplace: bool = False) -> Tensor:
        """``x`` in evaluation, unless dropout is retained."""
        if self.p > 0 and (self.training or self.apply_during_inference):
            return drop(x, self.p)
        return x


def quicken_dropout(module: nn.Module) -> nn.Module:
    """``module``, with a `QuickDropout` in the place of every dropout of fairseq's inside."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is FairseqDropout:
                setattr(parent, name, QuickDropout(child.p, child.module_name))
    return module
