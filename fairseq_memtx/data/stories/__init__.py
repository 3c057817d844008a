"""What is told and asked, without the noise around it."""

from .story import Story, Teller

__all__ = ["Story", "Teller"]
