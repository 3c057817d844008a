"""Schemes in which the places of two tokens tell whether they are neighbours."""

from abc import abstractmethod

from torch import Tensor

from .groups import GroupedAttention


class PlacedAttention(GroupedAttention):
    """A scheme that is a rule of places, from which FlexAttention can compute the same."""

    @abstractmethod
    def near(self, place: Tensor, other: Tensor) -> Tensor:
        """Whether tokens at these places are neighbours; for whole numbers that broadcast."""
