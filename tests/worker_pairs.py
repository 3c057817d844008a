"""Functions of the tests as workers of one run, in processes that have fairseq loaded already."""

import os
import pickle
import subprocess
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, Callable

from gpu_check.warm_commands import _SERVED


def call_workers(
    function: Callable[..., Any], *arguments: Any, workers: int = 2, timeout: float = 120
) -> list[Any]:
    """What a function of a module returns in each of several workers that can talk (gloo).

    Raises:
        AssertionError: with the traceback of a worker that failed.
        subprocess.TimeoutExpired: if a worker still runs after ``timeout`` seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        answers = [Path(folder, str(rank)) for rank in range(workers)]
        store = Path(folder, "store")
        started = [
            _SERVED.Process(target=_work, args=(function, arguments, store, rank, answers))
            for rank in range(workers)
        ]
        for process in started:
            process.start()
        end = time.monotonic() + timeout
        for process in started:
            process.join(max(end - time.monotonic(), 0))
        hung = [process for process in started if process.is_alive()]
        for process in hung:
            process.kill()
            process.join()
        if hung:
            raise subprocess.TimeoutExpired(function.__name__, timeout)
        given = [pickle.loads(path.read_bytes()) for path in answers if path.exists()]
    failed = [text for succeeded, text in given if not succeeded]
    assert not failed, "\n".join(failed)
    assert len(given) == workers, "a worker was killed"
    return [result for _, result in given]


def _work(
    function: Callable[..., Any], arguments: tuple, store: Path, rank: int, answers: list[Path]
) -> None:
    """Be a worker, and leave what the function returned, or why it failed."""
    import torch

    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=store.as_uri(), rank=rank, world_size=len(answers)
    )
    try:
        answer = True, function(*arguments)
    except BaseException:
        answer = False, f"worker {rank}: {traceback.format_exc()}"
    answers[rank].write_bytes(pickle.dumps(answer))
    os._exit(0)  # at once: one that failed would wait for the others
