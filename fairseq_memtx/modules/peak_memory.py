"""The highest use of memory since a moment: of the GPU where one computes, or of the process."""

import resource
import sys
from pathlib import Path

import torch

FORGET = Path("/proc/self/clear_refs")  # of Linux
STATUS = Path("/proc/self/status")


class PeakMemory:
    """Begins to look when it is made.

    Where the system cannot forget an earlier peak (any but Linux), it is that of the whole process.

    Args:
        device: that computes.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        elif FORGET.exists():
            FORGET.write_text("5")

    def megabytes(self) -> float:
        """The highest since then, in units of 1,000,000 bytes."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 1e6
        if FORGET.exists():
            lines = STATUS.read_text().splitlines()
            (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
            return int(kilobytes) * 1024 / 1e6
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
