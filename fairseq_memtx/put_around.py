"""Our functions around fairseq's, where fairseq looks for its own."""

import functools
import re
from pkgutil import resolve_name
from typing import Any, Callable


def put_around(place: str, ours: Callable[..., Any]) -> None:
    """Let a function be called in the place of fairseq's.

    Args:
        place: module and name, such as ``fairseq.trainer:Trainer.train_step``.
        ours: gets the function that was there, and then the arguments.
    """
    owner, name = re.split(r"[.:](?=\w+$)", place)
    inner = getattr(resolve_name(owner), name)

    @functools.wraps(inner)
    def outer(*args: Any, **kwargs: Any) -> Any:
        return ours(inner, *args, **kwargs)

    setattr(resolve_name(owner), name, outer)
