"""How the state of streams comes into a model of fairseq, and out of it again.

fairseq's criterions hand a model its batch and drop what it returns beside its output. So the state
lies in the batch, in a holder that belongs to one model; the task owns it and looks into it after
the step.
"""

import torch
from torch import Tensor, nn

from ..memory import Reading, State


class StateHolder:
    """Carries the state of the streams into a forward pass and out of it.

    Args:
        state: the state before the first segment, none for a new text.
        advance: after how many segments the state is to be kept; all, if None.

    Attributes:
        memories: of the last pass, before each segment and after the last one, for statistics;
            they retain the gradients that they get, except in a compiled model.
    """

    def __init__(self, state: State | None = None, advance: int | None = None) -> None:
        self.state: State = state or {}
        self.advance = advance
        self.memories: list[Tensor] = []

    def of(self, model: nn.Module) -> "StateHolder":
        """Itself: one model has it."""
        return self

    def take(self, reading: Reading) -> None:
        """What a model made of a window."""
        self.state, self.memories = reading.state, reading.memories
        # A compiled graph gives its inner tensors no gradients.
        if not torch.compiler.is_compiling():
            for memory in self.memories:
                if memory.requires_grad:
                    memory.retain_grad()


class StatesOfModels:
    """A `StateHolder` for each model of an ensemble, since all of them get the same batch."""

    def __init__(self) -> None:
        self._holders: dict[nn.Module, StateHolder] = {}

    def of(self, model: nn.Module) -> StateHolder:
        """The one of this model, which begins a new text at first."""
        return self._holders.setdefault(model, StateHolder())
