"""Files and folders that are whole under their names, or not there, whatever happens in between."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .errors import MemtxError


@contextmanager
def written_aside(*paths: Path) -> Iterator[list[Path]]:
    """Other names to write files under; each gets its own once all of them are whole.

    An error in between leaves what was there before.

    Raises:
        MemtxError: if one cannot be written, as in a folder that is a file or on a full disk.
    """
    partials = [_partial(path) for path in paths]
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


@contextmanager
def folder_aside(folder: Path) -> Iterator[Path]:
    """An empty folder of another name, which gets its own at the end.

    What a run that was killed left under the other name goes, and so does all after an error.
    """
    folder = folder.absolute()  # a name such as "." has no last part
    partial = _partial(folder)
    _remove(partial)
    partial.mkdir(parents=True)
    try:
        yield partial
        partial.rename(folder)
    except BaseException:
        _remove(partial)
        raise


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


def _line(paths: tuple[Path, ...], reason: str) -> str:
    return f"{', '.join(map(str, paths))} cannot be written: {reason}"


def _remove(partial: Path) -> None:
    if partial.is_dir():
        shutil.rmtree(partial)
    elif partial.is_file():  # below a file there can be none
        partial.unlink()
