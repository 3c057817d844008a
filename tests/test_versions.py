"""Where the plugin cannot work it says so in one line, and its claims agree."""

import os
import re

import pytest
from conftest import ROOT, fail

from fairseq_memtx import versions
from fairseq_memtx.errors import MemtxError


def test_wrong_python():
    for old in ((3, 7, 1), (3, 10, 9)):
        version = ".".join(map(str, old))
        with pytest.raises(MemtxError, match=f"Python {version} is too old: use Python 3.11"):
            versions.check(old)
    versions.check((3, 11, 0))


def test_one_range_of_pythons_is_claimed():
    """By setup.py, by the check at start-up, by ruff, and by the scripts that look for one."""
    oldest = ".".join(map(str, versions.OLDEST_PYTHON))
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
    line = fail(
        "python", "-c", "import fairseq_memtx.models", env={**os.environ, "PYTHONPATH": path}
    )
    assert re.search(says, line)
    assert "pip install ve-fairseq==0.12.3" in line
