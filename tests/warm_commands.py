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
import subprocess
import sys
import tempfile
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
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder, name) for name in ("stdin", "stdout", "stderr")]
        streams[0].write_text(input)
        process = _SERVED.Process(
            target=_be, args=(command, arguments, cwd, dict(env or os.environ), streams)
        )
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            raise subprocess.TimeoutExpired(command, timeout, streams[1].read_bytes())
        written = [stream.read_text() for stream in streams[1:]]
    return subprocess.CompletedProcess([command, *arguments], process.exitcode, *written)


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
