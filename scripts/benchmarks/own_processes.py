"""Work that is measured in a process of its own."""

from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from typing import Any, Callable, Protocol

from .turns import take_turns

# What takes seconds to import, and is passed over where it is missing.
_LOADED = ["torch", "fairseq_memtx.models"]
_LOADED += [
    f"transformers.models.{name}.modeling_{name}"
    for name in ("longformer", "big_bird", "modernbert")
]


class Work(Protocol):
    """Something to be pickled, which is set up where it is first called."""

    def step(self) -> float:
        """Do it once; how many milliseconds it took."""


def new_process() -> ProcessPoolExecutor:
    """One process, for all that is submitted until this is closed."""
    context = get_context("forkserver")
    context.set_forkserver_preload(_LOADED)
    return ProcessPoolExecutor(1, mp_context=context)


def in_own_process(function: Callable[[], Any]) -> Any:
    """What a function returns in a new process."""
    with new_process() as process:
        return process.submit(function).result()


def times_of(
    works: dict[Any, Work], rounds: int, one_process: bool = False
) -> dict[Any, list[float]]:
    """Milliseconds of a step of each, once a round, in turns.

    Each has a process of its own, as where a model is trained: in one process, a model is spared
    page faults by the memory that those before it have fetched from the system and given back.
    """
    with ExitStack() as processes:

        def stepping(work: Work) -> Callable[[int], float]:
            if one_process:
                return lambda round_: work.step()
            process = processes.enter_context(new_process())
            return lambda round_: process.submit(work.step).result()

        steps = {name: stepping(work) for name, work in works.items()}
        return take_turns({"step": steps}, rounds)["step"]
