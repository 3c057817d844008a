"""How much memory a piece of work needs, and processes whose memory is that of nobody else."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch


class Peak:
    """The most memory held while it is open, less what was held before; of Linux or of CUDA."""

    def __init__(self, device: str) -> None:
        self.cuda = device != "cpu"
        self.mebibytes = 0.0

    def __enter__(self) -> "Peak":
        if self.cuda:
            torch.cuda.reset_peak_memory_stats()
            self.before = torch.cuda.memory_allocated() / 2**20
        else:
            Path("/proc/self/clear_refs").write_text("5")  # forget the highest so far
            self.before = self._status("VmRSS")
        return self

    def __exit__(self, *error: object) -> None:
        highest = torch.cuda.max_memory_allocated() / 2**20 if self.cuda else self._status("VmHWM")
        self.mebibytes = highest - self.before

    @staticmethod
    def _status(name: str) -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def new_process() -> ProcessPoolExecutor:
    """One process, for all that is submitted until this is closed."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["torch", "fairseq"])  # which takes seconds
    return ProcessPoolExecutor(1, mp_context=context)
