"""What freed tensors leave stays with the process, for the next ones, where glibc allocates.

A step on a CPU makes and frees tensors of tens of megabytes. glibc hands such memory back to the
system at once and gets it again a moment later, page by page, each of which the system fills with
zeros: a sixth of the processor's time in training translators (docs/performance.md). What is kept
has its limits, since a long document has tensors of hundreds of megabytes.
"""

import ctypes
import os
import platform

# By glibc's numbers for them: what may be free at the end of the heap before it is given back, and
# how large a tensor has to be to get memory of its own, which is given back with it. In bytes.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_SETTINGS = {_TRIM_THRESHOLD: 256 * 2**20, _MMAP_THRESHOLD: 128 * 2**20}


def keep() -> None:
    """Ask glibc for it, unless the environment has settings for glibc's malloc already."""
    chosen = any(name.startswith("MALLOC_") for name in os.environ)
    chosen |= "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
    if not chosen and platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        for setting, amount in _SETTINGS.items():
            library.mallopt(setting, amount)
