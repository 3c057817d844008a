"""The wheel: what is in it, and that it works where there is no clone."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
from commands.test_export import write_checkpoint
from conftest import ROOT

PACKAGE = ROOT / "fairseq_memtx"
EVERY_MODULE = """
import importlib, pkgutil
import fairseq_memtx.models
for found in pkgutil.walk_packages(fairseq_memtx.__path__, "fairseq_memtx."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
"""


def pip(*arguments: object) -> None:
    """Run pip, which is not to look for news of itself."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *map(str, arguments)], check=True)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """Made from a copy, since setuptools leaves a folder ``build`` where it works."""
    source = tmp_path_factory.mktemp("source")
    for file in ("setup.py", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / file, source)
    left_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, source / PACKAGE.name, ignore=left_out)
    folder = tmp_path_factory.mktemp("wheel")
    flags = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir"]
    pip("wheel", *flags, folder, source)
    (wheel,) = folder.iterdir()
    return wheel


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    """Modules, YAMLs, ``py.typed``, and the folder where hydra looks for plugins."""
    with ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = {
        path.relative_to(ROOT).as_posix()
        for kind in ("*.py", "*.yaml", "*.html", "py.typed")
        for path in PACKAGE.rglob(kind)
    }
    assert "fairseq_memtx/py.typed" in files
    # hydra knows its plugins by the name of their folder; it has to stand beside the package.
    assert found == {
        name.removeprefix("fairseq_memtx/") if "hydra_plugins" in name else name for name in files
    }


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory) -> Path:
    """A virtual environment's commands: the wheel is installed there, its needs are borrowed."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    # Ignored is what pip takes for installed: the clone here, and what is borrowed.
    flags = ["--no-deps", "--no-index", "--no-compile", "--ignore-installed"]
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    pip("--python", folder / "bin/python", "install", *flags, wheel)
    return folder / "bin"


@pytest.mark.training
def test_every_command_works_where_there_is_no_clone(installed, tmp_path):
    """Not editable, from another folder: help of all, every module, and what is quickly done."""
    environment = {**os.environ, "PATH": f"{installed}:/usr/bin:/bin"}
    environment.pop("PYTHONPATH", None)

    def run(*command: object) -> str:
        return subprocess.run(
            [*map(str, command)],
            cwd=tmp_path, env=environment, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip

    (folder, *_) = run("fairseq-memtx").splitlines()
    assert Path(folder).parent.name == "site-packages"
    assert Path(folder).is_relative_to(installed.parent)
    commands = re.findall(r"^    ([\w-]+)", run("fairseq-memtx", "--help"), re.MULTILINE)
    assert {"prepare", "average", "convert", "export", "plot", "arches", "flags", "doctor"} <= {
        *commands
    }
    for command in commands:
        kinds = re.findall(
            r"^    ([\w-]+)  ", run("fairseq-memtx", command, "--help"), re.MULTILINE
        )
        for kind in kinds if command in ("prepare", "convert", "plot") else []:
            assert kind in run("fairseq-memtx", command, kind, "--help")
    run("python", "-c", EVERY_MODULE)
    assert "--memory-tokens" in run("fairseq-memtx", "flags", "rmt_lm_tiny")
    (tmp_path / "text").write_text("To be, or not to be\n" * 9)
    sets = [part for name in ("train", "valid") for part in (f"--{name}", "text")]
    run("fairseq-memtx", "prepare", "language-model", *sets, "--unit", "bytes", "--dest", "data")
    assert (tmp_path / "data/train.bin").exists()
    (tmp_path / "model").mkdir()
    write_checkpoint(tmp_path / "model")
    run("fairseq-memtx", "export", "model/checkpoint.pt", "exported")
    load = "from fairseq_memtx import memory; print(*memory.load('exported').symbols)"
    assert run("python", "-c", load).startswith("<s> <pad> </s> <unk> w0")
