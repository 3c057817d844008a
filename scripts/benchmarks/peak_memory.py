"""How much memory a piece of work needs."""

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
