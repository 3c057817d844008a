"""What a global memory costs over none: a fit of a M (L + M) to measured points.

    python scripts/claims/memory_cost.py

For documents of L tokens and M memory tokens, attention in chunks is counted (its operations, by
torch's counter) and timed (this process' time on one core, forward and backward, the least of
several). Prints what the fit leaves unexplained of each, as a share of the variance.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from fairseq_memtx.memory.global_memory import GlobalMemoryAttention
from fairseq_memtx.memory.neighbourhoods.chunks import ChunkedAttention

LENGTHS, MEMORIES = (1024, 2048, 4096, 8192), (16, 32, 64, 128)
HEADS, CHANNELS, CHUNK = 2, 32, 64
REPEATS = 7


def operations(length: int, memory: int) -> float:
    """Multiplications and additions of a forward pass."""
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), counter:  # of fused attention it counts nothing
        attended(length, memory)()
    return counter.get_total_flops()


def seconds(length: int, memory: int) -> float:
    """Time of a step of training."""
    step, times = attended(length, memory), []
    for _ in range(REPEATS):
        began = time.process_time()
        step().sum().backward()
        times.append(time.process_time() - began)
    return min(times)


def attended(length: int, memory: int) -> Callable[[], Tensor]:
    """A layer's attention over random rows."""
    attention = GlobalMemoryAttention(memory, ChunkedAttention(CHUNK))
    query, key, value = torch.randn(3, 1, HEADS, memory + length, CHANNELS, requires_grad=True)
    return lambda: attention(query, key, value)


def unexplained(measure: Callable[[int, int], float], name: str) -> None:
    """Measure what memory adds at all points, fit, and print."""
    points = [(length, memory) for length in LENGTHS for memory in MEMORIES]
    without = {length: measure(length, 0) for length in LENGTHS}
    added = np.array([
        measure(length, memory) - without[length] for length, memory in tqdm(points, desc=name)
    ])  # fmt: skip
    cost = np.array([memory * (length + memory) for length, memory in points])
    factor = (added @ cost) / (cost @ cost)
    for point, value in zip(points, added):
        print(f"L = {point[0]}, M = {point[1]}: {value:.4g} {name} added")
    left = ((added - factor * cost) ** 2).sum() / ((added - added.mean()) ** 2).sum()
    print(f"{name} added = {factor:.4g} M (L + M); unexplained {name}: {left:.6f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(1)
    unexplained(operations, "operations")
    unexplained(seconds, "seconds")
