"""Which packages are there, in which versions, and how this one is installed."""

import importlib
import json
import platform
import sys
from argparse import Namespace
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from . import Finding

FOLDER = Path(__file__).resolve().parents[1]
NEEDED = {"torch": "torch", "fairseq": "ve-fairseq==0.12.3", "numpy": "numpy"}  # to install
# Distribution, and who needs it.
OPTIONAL = {
    "sacremoses": "prepare translation, and text with punctuation at its words",
    "subword-nmt": "pieces of words",
    "sacrebleu": "scores of translations",
    "matplotlib": "plot",
    "tensorboard": "--tensorboard-logdir",
    "num2words": "prepare numbers",
    "Babel": "prepare numbers",
    "safetensors": "export, convert hf-roberta, convert hf-gpt2",
    "shtab": "--print-completion",
}


def python() -> Iterator[Finding]:
    """The Python."""
    what = f"Python {platform.python_version()}"
    right = (3, 11) <= sys.version_info[:2] < (3, 13)
    yield Finding("ok", what) if right else Finding("fault", what, "use 3.11 or 3.12")


def needed() -> Iterator[Finding]:
    """What nothing works without; each is imported, since that is what fails."""
    for name, package in NEEDED.items():
        try:
            module = importlib.import_module(name)
        except Exception as error:  # a library that does not fit raises whatever comes
            told = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            yield Finding("fault", f"{name} cannot be imported ({told})", f"pip install {package}")
        else:
            yield Finding("ok", f"{name} {getattr(module, '__version__', 'of an unknown version')}")
    if _version("fairseq") and _version("ve-fairseq"):
        yield Finding(
            "fault",
            "fairseq and ve-fairseq are both installed, and write to one folder",
            "pip uninstall both, then install one",
        )


def plugin() -> Iterator[Finding]:
    """Whether fairseq finds the architectures by ``--user-dir``, and whose package it finds."""
    from fairseq import utils
    from fairseq.models import ARCH_MODEL_REGISTRY

    utils.import_user_module(Namespace(user_dir=str(FOLDER)))
    names = {file.stem for file in (FOLDER / "config/model").glob("*.yaml")}
    missing = sorted(names - ARCH_MODEL_REGISTRY.keys())
    if missing:
        yield Finding("fault", f"--user-dir {FOLDER} registers no {missing[0]}", "install it again")
    else:
        yield Finding("ok", f"--user-dir {FOLDER} registers {len(names)} architectures")


def mends() -> Iterator[Finding]:
    """How many of fairseq's faults are mended."""
    from ..compat import report

    faults = report()
    here = [fault.name for fault in faults if fault.needed]
    yield Finding("ok", f"this fairseq has {len(here)} of {len(faults)} known faults, all mended")


def installation() -> Iterator[Finding]:
    """How this package came here."""
    try:
        found = metadata.distribution("fairseq-memtx")
    except metadata.PackageNotFoundError:
        yield Finding("ok", f"fairseq-memtx is not installed, but used from {FOLDER}")
        return
    direct = json.loads(found.read_text("direct_url.json") or "{}")
    editable = direct.get("dir_info", {}).get("editable", False)
    source = url2pathname(urlsplit(direct["url"]).path) if editable else str(found.locate_file(""))
    how = f"fairseq-memtx {found.version}, installed {'from' if editable else 'in'} {source}"
    if FOLDER.parent == Path(source).resolve():
        yield Finding("ok", how)
    else:
        yield Finding("note", how, f"this command is another copy, of {FOLDER.parent}")


def optional() -> Iterator[Finding]:
    """What only some commands need."""
    for name, used_by in OPTIONAL.items():
        version = _version(name)
        if version:
            yield Finding("ok", f"{name} {version}")
        else:
            yield Finding("note", f"no {name}, for {used_by}", f"pip install {name}")


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
