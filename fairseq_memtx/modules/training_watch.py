"""Figures of memory at work, while a model is trained: ``--inspect-interval N``.

Every N updates one forward pass is listened to. Its figures go where all of fairseq's go, into the
log and TensorBoard: ``inspect_writes``, ``inspect_works``, ``inspect_reads`` and
``inspect_ignores``, shares of the heads by `memory.head_classes`; ``inspect_norm``, length of a
memory vector; and ``inspect_drift``, how far it moved (over a segment, or through the encoder) in
parts of its length before. A model without the flag has no hooks; one with it computes the same.

Shapes: ``B`` batch, ``M`` memory tokens, ``C`` channels.
"""

from contextlib import ExitStack
from typing import Any

from fairseq import metrics
from torch import Tensor, nn

from ..memory import CLASSES, memory_statistics
from .encoder_with_memory import EncoderWithMemory
from .head_sums import HeadSums
from .segment_decoder import SegmentDecoder
from .state_holder import StateHolder


def watch(model: Any, args: Any) -> Any:
    """The model, watched if its flags ask for it."""
    interval = getattr(args, "inspect_interval", 0) or 0
    if interval and args.memory_tokens:
        model.training_watch = TrainingWatch(model, interval)
    return model


class TrainingWatch(nn.Module):
    """A part of a model without weights, which fairseq tells the number of updates."""

    def __init__(self, model: nn.Module, interval: int) -> None:
        super().__init__()
        self.interval, self.updates, self.looked_at = interval, 0, -1
        self.listening: ExitStack | None = None  # while a pass is listened to
        self.memories: list[Tensor] = []
        model.register_forward_pre_hook(self._begin, with_kwargs=True)
        model.register_forward_hook(self._end, always_call=True)

    def set_num_updates(self, num_updates: int) -> None:
        """How many updates were made before this one."""
        self.updates = num_updates

    def _begin(
        self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        due = self.updates % self.interval == 0 and self.updates != self.looked_at
        if not model.training or not due or "src_tokens" not in kwargs:
            return None
        self.looked_at, self.memories = self.updates, []
        self.sums, self.listening = HeadSums(), ExitStack()
        self.listening.enter_context(self.sums.listening(model, kwargs))
        decoder = getattr(model, "decoder", None)
        if isinstance(decoder, SegmentDecoder):
            holder = kwargs.get("holder") or StateHolder()
            self.listening.callback(lambda: self.memories.extend(holder.memories))
            return args, {**kwargs, "holder": holder}
        for encoder in model.modules():
            if isinstance(encoder, EncoderWithMemory):
                self.listening.callback(encoder.register_forward_hook(self._read).remove)
        return None

    def _read(self, encoder: Any, _: Any, output: dict[str, list[Tensor]]) -> None:
        """Memory as it went into an encoder, and as it came out."""
        [rows] = output.get("memory", output["encoder_out"])
        after = rows[: encoder.memory_tokens].transpose(0, 1).detach()
        self.memories = [encoder.memory(len(after)).detach(), after]

    def _end(self, _: nn.Module, __: Any, output: Any) -> None:
        """Log, if this was a pass that was listened to and it came to its end."""
        if self.listening is None:
            return
        self.listening.close()
        self.listening = None
        if output is None:
            return
        found = [head.name for _, _, head in self.sums.heads()]
        for name in CLASSES:
            metrics.log_scalar(f"inspect_{name}", found.count(name) / len(found), round=4)
        if self.memories:
            moved = memory_statistics(self.memories)
            metrics.log_scalar("inspect_norm", moved.norm, round=3)
            metrics.log_scalar("inspect_drift", moved.change, round=4)
        self.memories = []  # which would keep the graph of this pass
