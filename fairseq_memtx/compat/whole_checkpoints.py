"""Checkpoints that are whole under their name, or not there."""

import contextlib
import os
import time
from typing import Any, Callable

from fairseq import checkpoint_utils
from fairseq.file_io import PathManager

from ..errors import MemtxError
from . import around

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/2684"

TRIES = 3  # as many as fairseq, for storage that is away for a moment
PAUSE = 2.5  # seconds between them


@around("fairseq.file_io:PathManager.copy", told_by="copyfile")
def mend(unmended: Any, src_path: str, dst_path: str, overwrite: bool = False) -> bool:
    """Let fairseq write every checkpoint under another name and rename it once it is whole.

    fairseq writes the first of a set so, and copies that onto ``checkpoint_last.pt`` and
    ``checkpoint_best.pt`` in place (``checkpoint_utils.save_checkpoint``): killed meanwhile, or on
    a full disk, it leaves them torn. Its second try to write the first goes on in the file behind
    the rest of the first try. Both now leave what was there before, and nothing half-written.
    """
    if not PathManager.supports_rename(dst_path):
        return unmended(src_path, dst_path, overwrite=overwrite)
    _write_aside(dst_path, lambda aside: unmended(src_path, aside, overwrite=True))
    return True


@mend.also("fairseq.checkpoint_utils:torch_persistent_save")
def _save(unmended: Any, obj: Any, filename: str, async_write: bool = False) -> None:
    def save(aside: str) -> None:
        with open(aside, "wb") as file:
            checkpoint_utils.torch.save(obj, file)

    if async_write or not PathManager.supports_rename(filename):
        unmended(obj, filename, async_write=async_write)
    else:
        _write_aside(filename, save)


def _write_aside(path: str, write: Callable[[str], Any]) -> None:
    """Let ``write`` make a file, which becomes ``path`` once it is whole.

    Raises:
        MemtxError: if it cannot be written, which ends training: whoever trains on without a word
            that can be missed has no checkpoint in the end.
    """
    aside = f"{path}.tmp"
    for tries in range(TRIES):
        try:
            write(aside)
            os.replace(aside, path)
            return
        except Exception as cause:
            with contextlib.suppress(OSError):
                os.remove(aside)  # and with it what it takes of a full disk
            if tries < TRIES - 1:
                time.sleep(PAUSE)
            else:
                raise MemtxError(
                    f"checkpoint {path} could not be written ({_reason(cause)}), earlier ones are "
                    "as they were: make room in --save-dir, then start the same command again"
                ) from cause


def _reason(error: BaseException | None) -> str:
    """What the system said, which torch may have put its own words around."""
    first = error
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        error = error.__cause__ or error.__context__
    return str(first).split("\n", 1)[0]
