"""The house: who imports whom, how the package is found, what it says of itself."""

import ast
import re
import sys
from pathlib import Path

from conftest import ROOT, succeed
from setuptools import find_packages

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
    """Models -> modules -> memory, and memory is plain PyTorch; its files are safetensors."""
    for path in (PACKAGE / "memory").rglob("*.py"):
        for level, module in imports(path):
            inside = len(path.relative_to(PACKAGE / "memory").parts)
            assert level <= inside, f"{path} reaches out of memory/"
            outside = module.split(".")[0]
            files = {"safetensors"} if path.name == "exported.py" else set()
            assert level or outside in {"torch", *files, *sys.stdlib_module_names}
    for path in (PACKAGE / "modules").glob("*.py"):
        assert not any(module.startswith("models") for level, module in imports(path) if level)
    for path in (PACKAGE / "models").glob("*.py"):
        for level, module in imports(path):
            assert not (level == 2 and module.startswith(("tasks", "criterions")))


def test_imports_within_the_package_are_relative():
    for path in PACKAGE.rglob("*.py"):
        assert not any(m.split(".")[0] in {"fairseq_memtx", "examples"} for _, m in imports(path))


def test_no_package_shadows_fairseqs_examples():
    assert not [*ROOT.glob("examples/**/__init__.py"), *ROOT.glob("scripts/__init__.py")]


def test_python_m_says_what_a_user_needs():
    lines = succeed("python", "-m", "fairseq_memtx").splitlines()
    assert str(PACKAGE) in lines
    text = "\n".join(lines)
    assert re.search(r"fairseq \d.*torch \d.*numpy \d", text)
    assert "  mem_bottleneck_skip_transformer_wmt" in lines


def test_nothing_is_left_out_of_the_package():
    """Every folder with code is one that ``setup.py`` finds."""
    names = find_packages(str(ROOT), include=["fairseq_memtx*"])
    packaged = {name.replace(".", "/") for name in names}
    folders = {str(p.parent.relative_to(ROOT)) for p in PACKAGE.rglob("*.py")}
    # hydra looks for its plugins under a name of its own.
    assert folders - packaged == {"fairseq_memtx/hydra_plugins/fairseq_memtx"}
    assert '"hydra_plugins.fairseq_memtx"' in (ROOT / "setup.py").read_text(encoding="utf-8")


def test_every_room_that_builds_on_fairseq_begins_with_the_plugin():
    """So whatever is imported first, fairseq is mended before; `compat` is what mends it."""
    for room in sorted(PACKAGE.iterdir()):
        files = room.glob("*.py") if room.name not in ("compat", "hydra_plugins") else ()
        lines = "\n".join(file.read_text(encoding="utf-8") for file in files)
        if re.search(r"^(from|import) fairseq\b", lines, re.MULTILINE):
            first, *_ = imports(room / "__init__.py")
            assert first == (2, ""), f"{room.name}/__init__.py: from .. import plugin"
