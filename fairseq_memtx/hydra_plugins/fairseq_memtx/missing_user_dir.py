"""One line where a checkpoint of ours meets a fairseq that was not given ``--user-dir``.

fairseq then fails in torch's ``weights_only`` protection, which advises to switch it off, or finds
no model of the name. Nothing is done before such a failure, and nothing where it has other reasons.
"""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from pathlib import Path
from typing import Any, Callable

from hydra.errors import CompactHydraException

OURS = (b"mem_transformer", b"rmt_lm", b"gmat_roberta", b"rmt_language_modeling")
HEAD = 2**24  # bytes of a checkpoint in torch's old format that are looked through


class MissingUserDir(CompactHydraException):
    """``--user-dir`` was forgotten."""


def guard(module: Any, name: str) -> None:
    """Let one of fairseq's functions tell, if it fails with a checkpoint of ours."""
    unguarded: Callable = getattr(module, name)

    # Without functools.wraps: by its mark the package would take the function for guarded.
    def guarded(filenames, *args, **kwargs):
        try:
            return unguarded(filenames, *args, **kwargs)
        except Exception as cause:
            if not _package_is_there():
                for file in [filenames] if isinstance(filenames, str) else filenames:
                    if is_ours(file):
                        raise MissingUserDir(_line(file)) from cause
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


def _line(file: str) -> str:
    package = importlib.util.find_spec("fairseq_memtx")
    folder = package.submodule_search_locations[0] if package else Path("PATH", "fairseq_memtx")
    return f"{file} is a checkpoint of fairseq-memtx: give --user-dir {folder}"


def _print_one_line(kind: type, error: BaseException, trace: Any) -> None:
    if isinstance(error, MissingUserDir):
        print(f"fairseq-memtx: error: {error}", file=sys.stderr)
    else:
        _previous_hook(kind, error, trace)


_previous_hook = sys.excepthook

if "fairseq.checkpoint_utils" in sys.modules and not _package_is_there():
    sys.excepthook = _print_one_line
    for name in ("load_checkpoint_to_cpu", "load_model_ensemble_and_task"):
        guard(sys.modules["fairseq.checkpoint_utils"], name)
