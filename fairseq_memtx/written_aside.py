"""Files that are whole under their names, or not there: what all scripts that write some share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fairseq_memtx.errors import MemtxError


@contextmanager
def written_aside(*paths: Path) -> Iterator[list[Path]]:
    """Other names to write files under; each gets its own once all of them are whole.

    An error in between leaves what was there before.

    Raises:
        MemtxError: if one cannot be written, as in a folder that is a file or on a full disk.
    """
    partials = [path.with_name(f"{path.name}.partial") for path in paths]
    with ExitStack() as at_the_end:
        for partial in partials:
            at_the_end.callback(_remove, partial)
        try:
            for path in paths:
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.is_dir():
                    raise IsADirectoryError(21, "Is a directory", str(path))
            yield partials
            for partial, path in zip(partials, paths):
                os.replace(partial, path)
        except OSError as cause:
            raise MemtxError(_line(paths, cause.strerror or str(cause))) from cause
        except RuntimeError as cause:
            # What torch says of a disk: "[enforce fail at inline_container.cc:672] unexpected pos".
            if "inline_container" not in str(cause):
                raise
            raise MemtxError(_line(paths, "is the disk full?")) from cause


def _line(paths: tuple[Path, ...], reason: str) -> str:
    return f"{', '.join(map(str, paths))} cannot be written: {reason}"


def _remove(partial: Path) -> None:
    # Below a file there can be none.
    if partial.is_file():
        partial.unlink()
