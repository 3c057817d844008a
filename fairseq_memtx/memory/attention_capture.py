"""Attention maps of every layer and head, of any model, for those who ask.

No forward pass knows of it: there are hooks while a map is asked for, and nothing else. Two kinds
of modules are heard.

- An attention of ours holds a part without parameters that attends, with a method
  ``attention_map``: the same arguments as ``forward``, and the map. One that spells out its weights
  has an `AttentionSoftmax`. A fused or sparse one attends to the identity in place of its values:
  what comes out are the weights, each at the place of its key.
- torch's `MultiheadAttention`, and fairseq's, which call torch's function. It is called once more,
  without dropout, for the weights of every head. While fairseq generates text it does without the
  function, and its softmax is what is kept.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

AttentionMaps: TypeAlias = dict[str, list[Tensor]]
# The name of an attention module and the map of a call to what is kept of it.
Keep: TypeAlias = Callable[[str, Tensor], Tensor]


def whole(_name: str, weights: Tensor) -> Tensor:
    """The map itself, as a copy on the CPU: the model may go on to write over its weights."""
    return weights.detach().to("cpu", copy=True)


@contextmanager
def capture_attention(model: nn.Module, keep: Keep = whole) -> Iterator[AttentionMaps]:
    """Keep what each attention in ``model`` reads, while the context lasts.

    Example::

        with capture_attention(model) as maps, torch.no_grad():
            model(**batch)
        first_call, *later_calls = maps["encoder.layers.0.self_attn"]

    Yields:
        By the name of an attention module, the maps of all its calls in their order: weights before
        dropout, ``B x H x queries x keys``, on the CPU, in float32 at least. Rows sum to one; that
        of a query that is padding has no meaning. A module that several layers share is called by
        each of them, and one that reads a text in segments once a segment. Where activations are
        recomputed, a backward pass inside the context is heard as a second call.
    """
    listener = _Listener(keep)
    with ExitStack() as hooks, listener:
        for name, module in model.named_modules():
            handles = []
            if hasattr(module, "attention_map"):
                handles = listener.asking(_holder(name), module)
            elif hasattr(module, "num_heads"):
                handles = listener.following(name, module)
            for handle in handles:
                hooks.callback(handle.remove)
        yield listener.maps


class _Listener(TorchFunctionMode):
    """Keeps maps, and hears torch's functions that make some.

    Attributes:
        maps: what was kept.
        running: names and heads of the multi-head attentions that are being called, the innermost
            last; None for a part that is asked for its map, and not listened to.
    """

    def __init__(self, keep: Keep) -> None:
        super().__init__()
        self.keep = keep
        self.maps: AttentionMaps = {}
        self.running: list[tuple[str, int] | None] = []

    def asking(self, name: str, part: nn.Module) -> list[Any]:
        """Hooks of a part that knows its map, of the attention with this name."""

        def ask(part: Any, args: tuple[Any, ...], kwargs: dict[str, Any], _: Any) -> None:
            with torch.no_grad():
                self._keep(name, part.attention_map(*args, **kwargs))

        return [part.register_forward_hook(ask, with_kwargs=True), *self._around(part, None)]

    def following(self, name: str, module: nn.Module) -> list[Any]:
        """Hooks that tell when a multi-head attention runs."""
        return self._around(module, (name, int(module.num_heads)))  # type: ignore[arg-type]

    def _around(self, module: nn.Module, call: tuple[str, int] | None) -> list[Any]:
        return [
            module.register_forward_pre_hook(lambda *_: self.running.append(call)),
            module.register_forward_hook(lambda *_: self._left(), always_call=True),
        ]

    def _left(self) -> None:
        self.running.pop()

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        call = self.running[-1] if self.running else None
        if call and function is functional.multi_head_attention_forward:
            asked = {"training": False, "need_weights": True, "average_attn_weights": False}
            with torch.no_grad():
                _, weights = function(*args, **{**kwargs, **asked})
            assert weights is not None  # they were asked for
            self._keep_heads(call, weights)
        elif call and function is functional.softmax:
            self._keep_heads(call, result)
        return result

    def _keep_heads(self, call: tuple[str, int], weights: Tensor) -> None:
        """Keep weights of an attention, ``B*H x queries x keys`` perhaps."""
        name, heads = call
        self._keep(name, weights.reshape(-1, heads, *weights.shape[-2:]))

    def _keep(self, name: str, weights: Tensor) -> None:
        exact = torch.promote_types(weights.dtype, torch.float32)
        self.maps.setdefault(name, []).append(self.keep(name, weights.to(exact)))


def _holder(name: str) -> str:
    """The module that a part belongs to."""
    return name.rpartition(".")[0]
