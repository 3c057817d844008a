"""A folder that ``fairseq-train`` can read, whole or not there: what all ``prepare_*.py`` share.

All is built in ``DEST.partial``, which is renamed at the end. ``prepared.json`` in it says what it
was made from, so that a second start knows that there is nothing to do.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import signal
import subprocess
import sys
from collections import deque
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import Any, Callable, NoReturn

from plain_text import FolderText, TextError

RECORD = "prepared.json"
PLUGIN = Path(__file__).resolve().parents[1] / "fairseq_memtx"
TOLD = "fairseq-memtx: error: "


class PrepareError(Exception):
    """Something that the user can put right, told in one line."""


def run(program: str, prepare: Callable[[], None]) -> int:
    """Do the work; an error is told in one line and makes the exit code 1."""

    def fail(reason: str, exit_code: int = 1) -> int:
        print(f"{program}: error: {reason}", file=sys.stderr)
        return exit_code

    before = signal.signal(signal.SIGTERM, _stop)
    try:
        prepare()
    except (PrepareError, TextError) as error:
        return fail(str(error))
    except OSError as error:  # such as a full disk or a folder that may not be written
        return fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt as stopped:
        number = stopped.args[0] if stopped.args else signal.SIGINT
        return fail("stopped; the next start begins anew", exit_code=128 + number)
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    """As Ctrl-C does, so that what was started is ended too."""
    raise KeyboardInterrupt(number)


def positive(text: str) -> int:
    """A whole number above zero, for the command line."""
    if not 1 <= int(text) < 1 << 31:
        raise ValueError
    return int(text)


def ratio(text: str) -> float:
    """A number from one on, for the command line."""
    if not 1 <= float(text) < float("inf"):
        raise ValueError
    return float(text)


def is_prepared(dest: Path, settings: dict[str, Any], checksums: dict[str, Any]) -> bool:
    """Whether DEST is the very folder asked for; an error if it is anything else."""
    if not dest.exists():
        return False
    with suppress(OSError, ValueError, TypeError, KeyError):
        record = json.loads((dest / RECORD).read_text(encoding="utf-8"))
        if record["settings"] == settings and record["sha256"] == checksums:
            return True
    raise PrepareError(
        f"{dest} exists, but was not made from this input with these settings: "
        "delete it or choose another --dest"
    )


def new_partial(dest: Path) -> Path:
    """An empty ``DEST.partial`` with a folder ``work``; what an earlier run left there goes."""
    partial = dest.with_name(f"{dest.name}.partial")
    if partial.exists():
        shutil.rmtree(partial)
    (partial / "work").mkdir(parents=True)
    return partial


def preprocess(flags: list[str], work: Path, hear: Callable[[str], object]) -> None:
    """Run ``fairseq-preprocess`` in ``work``, so that no path of the user's can confuse it.

    It writes to the folder above; ``hear`` gets each line that it prints.
    """
    # The plugin tells what is wrong with a dictionary in one line.
    command = [sys.executable, "-m", "fairseq_cli.preprocess", *flags, "--user-dir", str(PLUGIN)]
    noise: deque[str] = deque(maxlen=10)
    with subprocess.Popen(
        [*command, "--destdir", "..", "--workers", "1"],
        cwd=work,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            for line in process.stdout:
                noise.append(line)
                hear(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        line = noise[-1].strip() if noise else ""
        if line.startswith(TOLD):
            raise PrepareError(line[len(TOLD) :])
        sys.stderr.writelines(noise)
        raise PrepareError("fairseq-preprocess failed, with the lines above")


def write_record(
    partial: Path, record: dict[str, Any], text: FolderText, libraries: list[str]
) -> None:
    """Write ``prepared.json``: what this folder was made from, how it was cut, and with what."""
    versions = {"python": platform.python_version()}
    for library in [*libraries, "fairseq", "ve-fairseq"]:
        with suppress(metadata.PackageNotFoundError):
            versions[library] = metadata.version(library)
    content = json.dumps({**record, "text": text.entry(), "versions": versions}, indent=2) + "\n"
    (partial / RECORD).write_text(content, encoding="utf-8")


def sha256(path: Path) -> str:
    """The checksum that ``sha256sum`` prints."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
