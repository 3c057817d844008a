"""One line where a checkpoint of ours meets a fairseq that was not given ``--user-dir``.

fairseq then fails in torch's ``weights_only`` protection, which advises to switch it off, or finds
no model of the name. Nothing is done before such a failure, and nothing where it has other reasons.
"""

import functools
import importlib
import importlib.util
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

OURS = (b"mem_transformer", b"rmt_lm", b"gmat_roberta", b"rmt_language_modeling")
HEAD = 2**24  # bytes of a checkpoint in torch's old format that are looked through


def guard(module: Any, name: str) -> None:
    """Let one of fairseq's functions tell, if it fails with a checkpoint of ours."""
    unguarded: Callable = getattr(module, name)

    @functools.wraps(unguarded)  # the package asks for the names of its arguments
    def guarded(filenames, *args, **kwargs):
        try:
            return unguarded(filenames, *args, **kwargs)
        except Exception as cause:
            if not _package_is_there():
                for file in [filenames] if isinstance(filenames, str) else filenames:
                    if is_ours(file):
                        raise _error(file) from cause
            raise

    setattr(module, name, guarded)


def is_ours(file: str) -> bool:
    """Whether a checkpoint names one of our models, as far as can be told without loading it."""
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                names = [name for name in archive.namelist() if name.endswith("data.pkl")]
                text = b"".join(map(archive.read, names))
        else:
            with open(file, "rb") as stream:
                text = stream.read(HEAD)
    except (OSError, zipfile.BadZipFile):
        return False
    return any(name in text for name in OURS)


def _package_is_there() -> bool:
    return "mem_transformer" in sys.modules["fairseq.models"].MODEL_REGISTRY


def _error(file: str) -> Exception:
    errors = importlib.import_module("fairseq_memtx.errors")
    errors.install_hook()
    folder = Path(str(errors.__file__)).parent
    return errors.MemtxError(f"{file} is a checkpoint of fairseq-memtx: give --user-dir {folder}")


if "fairseq.checkpoint_utils" in sys.modules and not _package_is_there():
    for name in ("load_checkpoint_to_cpu", "load_model_ensemble_and_task"):
        guard(sys.modules["fairseq.checkpoint_utils"], name)
