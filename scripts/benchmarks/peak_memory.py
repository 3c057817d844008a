"""How much memory a piece of work needs, and processes whose memory is that of nobody else."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch

from fairseq_memtx.modules.peak_memory import PeakMemory


class Peak:
    """The most memory held while it is open, less what was held before; of Linux or of CUDA."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        self.mebibytes = 0.0

    def __enter__(self) -> "Peak":
        self.highest = PeakMemory(self.device)
        self.before = self.highest.megabytes()
        return self

    def __exit__(self, *error: object) -> None:
        self.mebibytes = (self.highest.megabytes() - self.before) * 1e6 / 2**20


# What takes seconds to import, and is passed over where it is missing.
_LOADED = ["torch", "fairseq_memtx.models"]
_LOADED += [
    f"transformers.models.{name}.modeling_{name}"
    for name in ("longformer", "big_bird", "modernbert")
]


def new_process() -> ProcessPoolExecutor:
    """One process, for all that is submitted until this is closed."""
    context = get_context("forkserver")
    context.set_forkserver_preload(_LOADED)
    return ProcessPoolExecutor(1, mp_context=context)
