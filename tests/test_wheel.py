"""The wheel: what is in it, and that it works where there is no clone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from conftest import ROOT

PACKAGE = ROOT / "fairseq_memtx"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """Made from a copy, since setuptools leaves a folder ``build`` where it works."""
    source = tmp_path_factory.mktemp("source")
    for file in ("setup.py", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / file, source)
    left_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, source / PACKAGE.name, ignore=left_out)
    folder = tmp_path_factory.mktemp("wheel")
    flags = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder]
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", *flags, source], check=True)
    (wheel,) = folder.iterdir()
    return wheel


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    """Modules, YAMLs, ``py.typed``, and the folder where hydra looks for plugins."""
    with ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = {
        path.relative_to(ROOT).as_posix()
        for kind in ("*.py", "*.yaml", "py.typed")
        for path in PACKAGE.rglob(kind)
    }
    assert "fairseq_memtx/py.typed" in files
    # hydra knows its plugins by the name of their folder; it has to stand beside the package.
    assert found == {
        name.removeprefix("fairseq_memtx/") if "hydra_plugins" in name else name for name in files
    }
