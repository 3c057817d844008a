"""The product with the vocabulary on a CPU, with weights laid out once for all that is written.

A step of a text has few rows and tens of thousands of columns, and MKL lays the weights out anew
for each. oneDNN keeps a layout of its own: 80 rows x 256 x 8,000 words take 0.7 of the time, and
four rows x 768 x 50,257 a third (docs/performance.md). It is a copy of the weights, so it is for
models that are never trained again: those that fairseq makes fast for generation.
"""

from collections.abc import Callable
from typing import Any

import torch
from fairseq.models import BaseFairseqModel
from torch import Tensor, nn

from ..put_around import put_around

# Weights: with fewer, the call costs more than the layout saves.
WORTH_IT = 2**16
PRECISIONS = {torch.float32, torch.bfloat16}


class LaidOutProduct(nn.Linear):
    """As its base class and with its weights; a second copy of them is made by the first product.

    Where oneDNN has nothing to offer (a GPU, gradients, precisions that are neither float32 nor
    bfloat16), and where torch traces or compiles, it is the base class.
    """

    def __init__(self, linear: nn.Linear) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias
        self._laid_out: tuple[tuple[int, int, torch.dtype], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """``... x C -> ... x V``, in the precision of autocast where that is on."""
        autocast = torch.is_autocast_enabled("cpu")
        precision = torch.get_autocast_dtype("cpu") if autocast else x.dtype
        if (
            torch.is_grad_enabled()
            or torch.jit.is_tracing()  # type: ignore[attr-defined]
            or torch.compiler.is_compiling()
            or not {precision, self.weight.dtype} <= PRECISIONS
            or not (autocast or precision is self.weight.dtype)
            or not (x.is_cpu and self.weight.is_cpu)
        ):
            return super().forward(x)
        weight = self._weight_for(x.numel() // x.size(-1), precision)
        bias = None if self.bias is None else self.bias.to(precision)
        return torch.ops.mkldnn._linear_pointwise(x.to(precision), weight, bias, "none", [], "")

    def __getstate__(self) -> dict[str, Any]:
        """Without the copy, whose layout can neither be saved nor copied."""
        return {**self.__dict__, "_laid_out": None}

    def _weight_for(self, rows: int, precision: torch.dtype) -> Tensor:
        """The copy in oneDNN's layout, made again if other weights were loaded or put there."""
        made_of = (self.weight.data_ptr(), self.weight._version, precision)
        if self._laid_out is None or self._laid_out[0] != made_of:
            weight = self.weight.detach().to(precision)
            self._laid_out = made_of, torch.ops.mkldnn._reorder_linear_weight(weight, rows)
        return self._laid_out[1]


def quicken_generation() -> None:
    """Let every model that fairseq makes fast for generation have a `LaidOutProduct`."""
    if torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        put_around(f"{BaseFairseqModel.__module__}:BaseFairseqModel.make_generation_fast_", _fast)


def _fast(make_fast: Callable[..., Any], model: BaseFairseqModel, **options: Any) -> None:
    make_fast(model, **options)
    decoder: Any = getattr(model, "decoder", None)
    product = getattr(decoder, "output_projection", None)
    if type(product) is nn.Linear and product.weight.numel() >= WORTH_IT:
        decoder.output_projection = LaidOutProduct(product)
