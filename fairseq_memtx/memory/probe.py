"""Reading attention maps from a model without touching its code."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any

from torch import Tensor, nn


class AttentionProbe:
    """Context manager that records the attention weights of chosen modules.

    Works with every attention module that takes ``need_weights`` and returns ``(output, weights)``,
    as torch's and fairseq's do: weights of ``B x queries x keys``, averaged over heads.

    Example::

        with AttentionProbe(named_attention_modules) as probe, torch.no_grad():
            encoder(src_tokens)
        first_call, *later_calls = probe.weights["layers.0.self_attn"]

    Args:
        modules: ``(name, module)`` pairs.

    Attributes:
        weights: by name, the weights of every call of a module, first call first, on the CPU. A
            module that several layers share is called by each of them.
    """

    def __init__(self, modules: Iterable[tuple[str, nn.Module]]) -> None:
        self.modules = dict(modules)
        self.weights: dict[str, list[Tensor]] = {name: [] for name in self.modules}
        self._handles: list[Any] = []

    def __enter__(self) -> AttentionProbe:
        for name, module in self.modules.items():
            self._handles += [
                module.register_forward_pre_hook(_ask_for_weights, with_kwargs=True),
                module.register_forward_hook(self._recorder(name)),
            ]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _recorder(self, name: str):
        def record(module: nn.Module, inputs: Any, output: tuple[Tensor, Tensor]) -> None:
            self.weights[name].append(output[1].detach().float().cpu())

        return record


def _ask_for_weights(module: nn.Module, args: Any, kwargs: dict) -> tuple[Any, dict]:
    return args, {**kwargs, "need_weights": True}
