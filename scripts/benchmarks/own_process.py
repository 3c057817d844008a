"""Work in a process of its own, whose memory is that of nobody else."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Callable


def in_own_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns in a new process."""
    with _new_process() as process:
        return process.submit(function, *arguments).result()


class OwnProcess:
    """An object that lives in a new process until this is closed.

    Args:
        build: makes the object, there.
        arguments: of ``build``.
    """

    def __init__(self, build: Callable[..., Any], *arguments: Any) -> None:
        self._process = _new_process()
        self._process.submit(_hold, build, *arguments).result()

    def call(self, method: str, *arguments: Any) -> Any:
        """What a method of the object returns."""
        return self._process.submit(_call, method, *arguments).result()

    def __enter__(self) -> OwnProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.shutdown()


_held: list[Any] = []  # in the new process, its object


def _hold(build: Callable[..., Any], *arguments: Any) -> None:
    _held.append(build(*arguments))


def _call(method: str, *arguments: Any) -> Any:
    return getattr(_held[0], method)(*arguments)


def _new_process() -> ProcessPoolExecutor:
    context = get_context("forkserver")
    context.set_forkserver_preload(["torch", "fairseq"])  # which takes seconds
    return ProcessPoolExecutor(1, mp_context=context)
