"""What freed tensors leave stays with the process, for the next ones, where glibc allocates.

A step on a CPU makes and frees tensors of tens of megabytes. glibc hands such memory back to the
system at once and gets it again a moment later, page by page, each of which the system fills with
zeros: a sixth of the processor's time in training translators (docs/performance.md).
"""

import ctypes
import os
import platform

# Of glibc's malloc.h: what is at most kept at the end of the heap, and what is fetched for itself.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_MOST = 2**30  # bytes of a tensor that is kept, and of what is free at the end of the heap


def keep() -> None:
    """Ask glibc for it, unless the environment has settings for glibc's malloc already."""
    chosen = any(name.startswith("MALLOC_") for name in os.environ)
    chosen |= "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
    if not chosen and platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        for setting in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            library.mallopt(setting, _MOST)
