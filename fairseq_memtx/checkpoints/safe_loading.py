"""Checkpoints are looked at before they are believed.

A file is read only when it is whole (its archive's own checksums are compared), when it holds
nothing but tensors, plain values and what `compat.safe_classes` lists, and, for a checkpoint of
fairseq, when its parts are what fairseq saves (`contents`). Every other file ends in one
line that names it and what is wrong. torch's ``weights_only`` protection is asked for by name in
every call, so that no variable of the environment switches it off.
"""

import inspect
import os
import re
import stat
import zipfile
from functools import partial
from typing import Any

import torch
from fairseq import checkpoint_utils

from ..errors import MemtxError, begin_with, explain
from ..put_around import put_around
from . import contents, settings

OF_A_RUN = "does not fit this run"
MISFIT = "is of another model"  # as `surgery.misfit` says
COPY_AGAIN = "copy it again, or use an earlier one"


class TornCheckpoint(MemtxError):
    """A file that is not whole: empty, cut off or damaged."""


def check(path: str) -> None:
    """Look at a file of torch before anything of it is built; half as long as loading it takes.

    Raises:
        TornCheckpoint: if the file is not whole.
        MemtxError: if there is no such file, or if it holds anything that is neither a tensor, nor
            a plain value, nor on the allow-list.
    """
    _check_kind(path)
    if zipfile.is_zipfile(path):
        _check_archive(path)
    objects = _objects_not_allowed(path)
    if objects:
        raise MemtxError(
            f"checkpoint {path} is refused, since it holds {', '.join(sorted(objects))}, which no "
            "checkpoint of fairseq needs and which could run code: use a checkpoint from a source "
            "you trust, or let its author save the weights alone"
        )


def load(path: str) -> Any:
    """What is in a file of torch, checked, on the CPU."""
    check(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as cause:
        raise _cut_off(path) from cause


def load_checkpoint(path: str) -> dict[str, Any]:
    """A checkpoint of fairseq as it was written, checked, on the CPU."""
    state = load(path)
    contents.check(state, path)
    return state


def guard_fairseq() -> None:
    """Let every command read checkpoints by the functions above, and fail in one line.

    What a checkpoint's contents lead to is told by its name too: a configuration from which no
    model can be built, or a state that does not fit the run that is to go on from it.
    """
    checkpoint_utils.torch = _TorchWithCheckedLoad()
    put_around("fairseq.checkpoint_utils:load_checkpoint_to_cpu", _load_to_cpu)
    for place, of_file, what in [
        ("fairseq.checkpoint_utils:load_checkpoint_to_cpu", "path", "cannot be used"),
        ("fairseq.checkpoint_utils:load_model_ensemble_and_task", "filenames", "makes no model"),
        ("fairseq.trainer:Trainer.load_checkpoint", "filename", OF_A_RUN),
    ]:
        put_around(place, partial(_naming_its_file, of_file, what))


class _TorchWithCheckedLoad:
    """The name ``torch`` in fairseq's ``checkpoint_utils``, which reads files by it alone."""

    def load(self, file: Any, map_location: Any = None) -> dict[str, Any]:
        state = torch.load(file, map_location="cpu", weights_only=True)
        contents.check(state, str(getattr(file, "name", file)))
        return state

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


def _load_to_cpu(
    load: Any, path: str, arg_overrides: dict[str, Any] | None = None, *args: Any, **kwargs: Any
) -> dict[str, Any]:
    check(checkpoint_utils.PathManager.get_local_path(path))
    state = load(path, arg_overrides, *args, **kwargs)
    for look in (settings.check_named_files, settings.forget_written_files):
        look(state.get("cfg"), path, arg_overrides or {})
    return state


def _naming_its_file(of_file: str, what: str, load: Any, *args: Any, **kwargs: Any) -> Any:
    """What is loaded; errors name the file that the argument ``of_file`` does.

    So can those that come up later where a checkpoint is loaded to be used, and not only read; a
    run that finds none uses none.
    """
    files = inspect.signature(load).bind(*args, **kwargs).arguments[of_file]
    named = files if isinstance(files, str) else ", ".join(map(str, files))
    to_use = of_file != "path"
    if to_use:
        begin_with(None)
    try:
        loaded = load(*args, **kwargs)
    except Exception as cause:
        line = explain(cause)
        if line is not None and named in line:
            raise
        told = f" {what}: {_first_line(cause)}" if line is None else f": {line}"
        if what == OF_A_RUN and MISFIT in told:
            told += ", or another --save-dir"
        raise MemtxError(f"checkpoint {named}{told}") from cause
    if to_use and loaded is not None:
        begin_with(named)
    return loaded


def _first_line(error: BaseException) -> str:
    """What went wrong; fairseq's trainer puts an ``Exception`` that says less in its place."""
    while type(error) is Exception and error.__context__ is not None:
        error = error.__context__
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _check_kind(path: str) -> None:
    """Refuse what is no file or cannot be read, without waiting for a pipe."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise MemtxError(
                f"checkpoint {path} is a folder: give the file in it, such as checkpoint_best.pt"
            )
        if not stat.S_ISREG(mode):
            raise MemtxError(f"checkpoint {path} is a pipe or a device: give a file")
        with open(path, "rb") as file:
            first = file.read(1)
    except OSError as cause:
        raise MemtxError(f"checkpoint {path} cannot be read: {cause.strerror}") from cause
    if not first:
        raise TornCheckpoint(
            f"checkpoint {path} is empty: it was never written whole, use another one"
        )


def _check_archive(path: str) -> None:
    """Compare the checksums of all parts, which torch does not, and their sizes.

    Archives that were written without checksums (``torch.serialization.set_crc32_options``) have
    zeros in their place.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            size = sum(part.file_size for part in parts)
            damaged = None
            if size <= os.path.getsize(path) and any(part.CRC for part in parts):
                damaged = archive.testzip()
    except Exception as cause:
        raise _cut_off(path) from cause
    if size > os.path.getsize(path):
        raise TornCheckpoint(
            f"checkpoint {path} is compressed or damaged: its parts would be {size} bytes, more "
            "than the file, and torch.save never compresses"
        )
    if damaged is not None:
        raise TornCheckpoint(
            f"checkpoint {path} is damaged: the checksum of {damaged} is wrong, {COPY_AGAIN}"
        )


def _objects_not_allowed(path: str) -> list[str]:
    look = getattr(torch.serialization, "get_unsafe_globals_in_checkpoint", None)
    try:
        if look is not None and zipfile.is_zipfile(path):
            return look(path)
        # The format of torch before 1.6 can be looked at only by loading it, and so can all with
        # torch before 2.6. Nothing but weights is built.
        torch.load(path, map_location="cpu", weights_only=True)
    except Exception as cause:
        named = re.search(r"GLOBAL ([\w.]+)", str(cause))
        if named:
            return [named[1]]
        raise _cut_off(path) from cause
    return []


def _cut_off(path: str) -> TornCheckpoint:
    return TornCheckpoint(
        f"checkpoint {path} is cut off, damaged or not a checkpoint at all: {COPY_AGAIN}"
    )
