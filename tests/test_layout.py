"""The house: who imports whom, how the package is found, what it says of itself."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, fail, run, succeed
from setuptools import find_packages

from fairseq_memtx import compat
from fairseq_memtx.errors import MemtxError

PACKAGE = ROOT / "fairseq_memtx"


def imports(path: Path) -> list[tuple[int, str]]:
    """(level, module) of every import in a file."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found.append((node.level, node.module or ""))
        elif isinstance(node, ast.Import):
            found += [(0, alias.name) for alias in node.names]
    return found


def test_arrows_point_one_way():
    """Models -> modules -> memory, and memory is plain PyTorch."""
    for path in (PACKAGE / "memory").rglob("*.py"):
        for level, module in imports(path):
            inside = len(path.relative_to(PACKAGE / "memory").parts)
            assert level <= inside, f"{path} reaches out of memory/"
            outside = module.split(".")[0]
            assert level or outside in {"torch", *sys.stdlib_module_names}
    for path in (PACKAGE / "modules").glob("*.py"):
        assert not any(module.startswith("models") for level, module in imports(path) if level)
    for path in (PACKAGE / "models").glob("*.py"):
        for level, module in imports(path):
            assert not (level == 2 and module.startswith(("tasks", "criterions")))


def test_imports_within_the_package_are_relative():
    for path in PACKAGE.rglob("*.py"):
        assert not any(m.split(".")[0] in {"fairseq_memtx", "examples"} for _, m in imports(path))


def test_memory_works_without_fairseq():
    program = (
        "import sys; sys.modules['fairseq'] = None; sys.path.insert(0, 'fairseq_memtx'); "
        "import memory; print(memory.MemoryTokens(2, 4)(3).shape)"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "[3, 2, 4]" in output.stdout


def test_no_package_shadows_fairseqs_examples():
    assert not list(ROOT.glob("examples/**/__init__.py")) + list(ROOT.glob("scripts/__init__.py"))


def test_python_m_says_what_a_user_needs():
    lines = succeed("python", "-m", "fairseq_memtx").splitlines()
    assert str(PACKAGE) in lines
    text = "\n".join(lines)
    assert re.search(r"fairseq \d.*torch \d.*numpy \d", text)
    assert "  mem_bottleneck_skip_transformer_wmt" in lines


def test_user_dir_works_from_any_folder(tmp_path):
    """A copy of the folder under a path with a space, from another folder, in a clean process."""
    (tmp_path / "a b").mkdir()
    link = tmp_path / "a b" / "fairseq_memtx"
    link.symlink_to(PACKAGE)
    flags = ["--arch", "mem_transformer_tiny", "--max-tokens", 9]
    line = fail("fairseq-train", "none", "--user-dir", link, *flags, cwd=tmp_path)
    assert line.startswith("fairseq-memtx: error: there is no data folder none: give")


def test_nothing_is_left_out_of_the_package():
    """Every folder with code is one that ``setup.py`` finds."""
    names = find_packages(str(ROOT), include=["fairseq_memtx*"])
    packaged = {name.replace(".", "/") for name in names}
    folders = {str(p.parent.relative_to(ROOT)) for p in PACKAGE.rglob("*.py")}
    # hydra looks for its plugins under a name of its own.
    assert folders - packaged == {"fairseq_memtx/hydra_plugins/fairseq_memtx"}
    assert '"hydra_plugins.fairseq_memtx"' in (ROOT / "setup.py").read_text(encoding="utf-8")


def test_wrong_python():
    for old in ((3, 7, 1), (3, 10, 9)):
        version = ".".join(map(str, old))
        with pytest.raises(MemtxError, match=f"Python {version} is too old: use Python 3.11"):
            compat.check_versions(old)
    compat.check_versions((3, 11, 0))


def test_one_range_of_pythons_is_claimed():
    """By setup.py, by the check at start-up, by ruff, and by the scripts that look for one."""
    oldest = ".".join(map(str, compat.OLDEST_PYTHON))
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    assert f'python_requires=">={oldest},<3.13"' in setup
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'target-version = "py{oldest.replace(".", "")}"' in pyproject
    environment = (ROOT / "scripts/environment.sh").read_text(encoding="utf-8")
    assert f"no Python {oldest} or 3.12 was found" in environment
    assert f"Python {oldest} or 3.12" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("raise ImportError('libbroken.so')", "none that can be imported was found .*libbroken"),
        ("__version__ = '0.9.0'", "fairseq 0.12 is needed and 0.9.0 was found"),
    ],
)
def test_wrong_fairseq(tmp_path, content, says):
    (tmp_path / "fairseq").mkdir()
    (tmp_path / "fairseq/__init__.py").write_text(content)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    line = fail("python", "-c", "import fairseq_memtx", env={**os.environ, "PYTHONPATH": path})
    assert re.search(says, line)
    assert "pip install ve-fairseq==0.12.3" in line


def test_other_errors_keep_their_traceback():
    result = run("python", "-c", "import fairseq_memtx; 1 / 0")
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError" in result.stderr
