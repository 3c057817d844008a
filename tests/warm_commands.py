"""Commands of fairseq in processes that have fairseq loaded already.

Each is what its script in the environment's ``bin`` does, in a process of its own that knows
nothing of the tests or of the plugin; only the seconds in which torch and fairseq are imported are
spent once, in a server from which all such processes are forked.
"""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from importlib.metadata import entry_points
from pathlib import Path

_SERVED = multiprocessing.get_context("forkserver")
_SERVED.set_forkserver_preload(["fairseq"])


def run(
    command: str,
    arguments: list[str],
    cwd: Path,
    timeout: float,
    env: dict[str, str] | None = None,
    input: str = "",
) -> subprocess.CompletedProcess:
    """As `subprocess.run`, with the output captured as text.

    Raises:
        subprocess.TimeoutExpired: after ``timeout`` seconds.
    """
    (result,) = _run_together([(command, arguments, cwd, dict(env or os.environ))], timeout, input)
    return result


def run_workers(
    command: str,
    arguments: list[str],
    cwd: Path,
    timeout: float,
    workers: int = 2,
    env: dict[str, str] | None = None,
) -> list[subprocess.CompletedProcess]:
    """The same command as workers of one run, told so as ``torchrun`` does.

    Unlike ``torchrun`` it ends nobody because another has failed: workers must not hang.

    Raises:
        subprocess.TimeoutExpired: if a worker still runs after ``timeout`` seconds.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launched = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(workers)}
    jobs = [
        (command, arguments, cwd, {**(env or os.environ), **launched, "RANK": str(rank)})
        for rank in range(workers)
    ]
    return _run_together(jobs, timeout)


def _run_together(
    jobs: list[tuple[str, list[str], Path, dict[str, str]]], timeout: float, input: str = ""
) -> list[subprocess.CompletedProcess]:
    """What came of commands that run at the same time."""
    with tempfile.TemporaryDirectory() as folder:
        started = []
        for number, job in enumerate(jobs):
            streams = [Path(folder, f"{number}.{name}") for name in ("stdin", "stdout", "stderr")]
            streams[0].write_text(input)
            process = _SERVED.Process(target=_be, args=(*job, streams))
            process.start()
            started.append((process, streams))
        end = time.monotonic() + timeout
        for process, _ in started:
            process.join(max(end - time.monotonic(), 0))
        hung = [number for number, (process, _) in enumerate(started) if process.is_alive()]
        for number in hung:
            started[number][0].kill()
            started[number][0].join()
        written = [[path.read_text() for path in streams[1:]] for _, streams in started]
        if hung:
            raise subprocess.TimeoutExpired(jobs[0][0], timeout, *written[hung[0]])
    return [
        subprocess.CompletedProcess([job[0], *job[1]], process.exitcode, *output)
        for job, (process, _), output in zip(jobs, started, written)
    ]


def _be(
    command: str, arguments: list[str], cwd: Path, env: dict[str, str], streams: list[Path]
) -> None:
    """Become the command."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for number, stream in enumerate(streams):
        os.dup2(os.open(stream, os.O_RDWR | os.O_CREAT), number)
    sys.stdin = os.fdopen(0, closefd=False)
    multiprocessing.set_start_method(None, force=True)  # not the server's
    logging.root.handlers.clear()  # of what fairseq said on being imported
    logging.root.setLevel(logging.WARNING)
    sys.argv = [command, *arguments]
    (script,) = entry_points(group="console_scripts", name=command)
    try:
        script.load()()
    except Exception:
        sys.excepthook(*sys.exc_info())  # multiprocessing would not ask it
        sys.exit(1)
    finally:
        atexit._run_exitfuncs()  # nor these
