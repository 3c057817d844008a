"""A folder that ``fairseq-train`` can read: what all kinds of text share.

``prepared.json`` in it says what it was made from, so that a second start knows that there is
nothing to do.
"""

import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from ..errors import MemtxError
from ..text.folder import FolderText

RECORD = "prepared.json"
PLUGIN = Path(__file__).resolve().parents[1]
TOLD = "fairseq-memtx: error: "
# What fairseq-preprocess says after each file.
COUNTED = re.compile(r"\] (\w+)\.\S+: (\d+) sents, (\d+) tokens, (\S+%) replaced")


class Counted(NamedTuple):
    """What ``fairseq-preprocess`` says of a file."""

    lines: int
    tokens: int  # with the ends of lines
    unknown: str  # the share of tokens that the dictionary does not have


def is_prepared(dest: Path, settings: dict[str, Any], checksums: dict[str, Any]) -> bool:
    """Whether DEST is the very folder asked for, which is said then; any other is refused."""
    if not dest.exists():
        return False
    with suppress(OSError, ValueError, TypeError, KeyError):
        record = json.loads((dest / RECORD).read_text(encoding="utf-8"))
        if record["settings"] == settings and record["sha256"] == checksums:
            print(f"{dest} is prepared already, from the same input with the same settings")
            return True
    raise MemtxError(
        f"{dest} exists, but was not made from this input with these settings: "
        "delete it or choose another --dest"
    )


def preprocess(flags: list[str], work: Path, files: int) -> dict[str, Counted]:
    """Run ``fairseq-preprocess`` in ``work``, so that no path of the user's can confuse it.

    It writes to the folder above; then ``work`` goes.

    Returns:
        What it said of each of the ``files``, by what stands before the first dot of its name.
    """
    counted = {}
    with progress("fairseq-preprocess", files, unit=" files") as bar:
        for line in lines_of_preprocess(flags, work):
            if found := COUNTED.search(line):
                counted[found[1]] = Counted(int(found[2]), int(found[3]), found[4])
                bar.update()
    shutil.rmtree(work)
    return counted


def lines_of_preprocess(flags: list[str], work: Path) -> Iterator[str]:
    """What ``fairseq-preprocess`` prints; see `preprocess`."""
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
            for line in process.stdout or ():
                noise.append(line)
                yield line
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        last = noise[-1].strip() if noise else ""
        if last.startswith(TOLD):
            raise MemtxError(last[len(TOLD) :])
        sys.stderr.writelines(noise)
        raise MemtxError("fairseq-preprocess failed, with the lines above")


def write_record(
    folder: Path, record: dict[str, Any], text: FolderText, libraries: list[str]
) -> None:
    """Write ``prepared.json``: what the folder was made from, how it was cut, and with what."""
    versions = {"python": platform.python_version()}
    for library in [*libraries, "fairseq", "ve-fairseq"]:
        with suppress(metadata.PackageNotFoundError):
            versions[library] = metadata.version(library)
    content = json.dumps({**record, "text": text.entry(), "versions": versions}, indent=2) + "\n"
    (folder / RECORD).write_text(content, encoding="utf-8")


def sha256(path: Path) -> str:
    """The checksum that ``sha256sum`` prints."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def progress(what: str, total: int, **more: Any) -> tqdm:
    """A bar on stderr; none where nobody watches, as in a log file."""
    return tqdm(desc=what, total=total, disable=None, leave=False, **more)
