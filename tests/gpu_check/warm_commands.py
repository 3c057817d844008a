"""Commands of fairseq in processes that have fairseq loaded already.

Each is what its script in the environment's ``bin`` does, in a process of its own that knows
nothing of its caller or of the plugin; only the seconds in which torch and fairseq are imported,
and fairseq's own settings parsed, are spent once, in a server from which all of them are forked.
"""

import atexit
import gc
import logging
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import EntryPoint, entry_points
from multiprocessing.connection import wait
from pathlib import Path
from typing import Callable

_SERVED = multiprocessing.get_context("forkserver")
# torch._dynamo is what optimizers import. The last is found from the top of a clone, and elsewhere
# passed over: it saves time alone.
PARSED_SETTINGS = "tests.gpu_check.parsed_settings"
_SERVED.set_forkserver_preload(["fairseq", "torch._dynamo", PARSED_SETTINGS])
# Starting a process asks all others whether they are over, which two threads may not do at a time.
_ASKING = threading.Lock()


def run(
    command: str,
    arguments: list[str],
    cwd: Path,
    timeout: float,
    env: dict[str, str] | None = None,
    input: str = "",
    prepare: Callable[[], object] | None = None,
    until: Callable[[], bool] | None = None,
    workers: int = 0,
) -> list[subprocess.CompletedProcess]:
    """As `subprocess.run`, with the output captured as text.

    ``command`` is a script of the environment, or ``module:function``. ``prepare``, a function of a
    module, is called in its process before it. ``until`` is asked a hundred times a second; once it
    is true, the process is killed. ``workers`` run it so many times at once, as the workers of one
    run, told so as ``torchrun`` does. Unlike ``torchrun``, nobody is ended because another has
    failed: workers must not hang. Returned is what came of each.

    Raises:
        subprocess.TimeoutExpired: after ``timeout`` seconds, with what was printed by then.
    """
    environments = [dict(env or os.environ)]
    if workers:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(workers)}
        environments = [{**environments[0], **group, "RANK": str(n)} for n in range(workers)]
    with tempfile.TemporaryDirectory() as folder:
        started = []
        for number, environment in enumerate(environments):
            streams = [Path(folder, f"{number}.{name}") for name in ("stdin", "stdout", "stderr")]
            streams[0].write_text(input)
            job = command, arguments, cwd, environment, streams, prepare
            process = _SERVED.Process(target=_be, args=job)
            with _ASKING:
                process.start()
            started.append((process, streams))
        end, hung = time.monotonic() + timeout, []
        for number, (process, _) in enumerate(started):
            over = killed = False
            while not over and not killed and time.monotonic() < end:
                over = wait([process.sentinel], 0.01 if until else end - time.monotonic())
                killed = not over and until is not None and until()
            with _ASKING:
                if not over:
                    process.kill()
                if not over and not killed:
                    hung.append(number)
                process.join()
        written = [
            [path.read_text() if path.exists() else "" for path in streams[1:]]
            for _, streams in started
        ]
        if hung:
            raise subprocess.TimeoutExpired(command, timeout, *written[hung[0]])
    return [
        subprocess.CompletedProcess([command, *arguments], process.exitcode, *output)
        for (process, _), output in zip(started, written)
    ]


def _be(
    command: str,
    arguments: list[str],
    cwd: Path,
    env: dict[str, str],
    streams: list[Path],
    prepare: Callable[[], object] | None,
) -> None:
    """Become the command."""
    # What the server has loaded is no garbage; to look through it took a quarter of a command.
    gc.freeze()
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
    try:
        if prepare is not None:
            prepare()
        if ":" in command:
            script = EntryPoint(command, command, "console_scripts")
        else:
            # A package that was installed twice is found twice; the first on the path counts.
            script = next(iter(entry_points(group="console_scripts", name=command)))
        sys.exit(script.load()())
    except Exception:
        sys.excepthook(*sys.exc_info())  # multiprocessing would not ask it
        sys.exit(1)
    finally:
        atexit._run_exitfuncs()  # nor these
