"""Freed memory stays with the process, unless the user has said something else."""

import os
import platform
import subprocess
import sys

import pytest
from conftest import ROOT

MIB = 2**20
# How many pages the system gives out while a tensor's worth of memory comes and goes nine times.
ASK = f"""
import ctypes, resource
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
def use():
    block = ctypes.c_void_p(library.malloc({64 * MIB}))
    ctypes.memset(block, 1, {64 * MIB})
    library.free(block)
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(9):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="other C libraries keep it or cannot be asked"
)


def pages(begin: str, **environment: str) -> int:
    """Of a process that begins with these lines."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    clean.pop("GLIBC_TUNABLES", None)
    command = [sys.executable, "-c", begin + ASK]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, env={**clean, **environment}
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return int(result.stdout)


KEEP = "from fairseq_memtx import kept_pages; kept_pages.keep()\n"
MANY = 9 * 64 // 2 - 9  # of huge pages, of 2 MiB each; of small ones there would be more


def test_memory_is_kept():
    assert pages("") > MANY
    assert pages(KEEP) < 50


def test_the_plugin_keeps_it():
    assert pages("import fairseq_memtx.plugin\n") < 50


@pytest.mark.parametrize(
    "chosen",
    [
        {"MALLOC_TRIM_THRESHOLD_": "131072"},
        {"MALLOC_MMAP_THRESHOLD_": "131072"},
        {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=131072"},
    ],
    ids=str,
)
def test_what_the_user_chose_stays(chosen):
    assert pages(KEEP, **chosen) > MANY


def test_other_tunables_are_no_choice():
    assert pages(KEEP, GLIBC_TUNABLES="glibc.pthread.rseq=1") < 50
