"""A text of a million tokens, read from its beginning: time and memory along the way.

The machine has other work meanwhile, so the times are upper bounds.
"""

import time
from typing import Any, Iterator

import torch
from benchmarks.language_model import LanguageModel

from fairseq_memtx.modules.peak_memory import PeakMemory
from fairseq_memtx.modules.state_holder import StateHolder

from .in_process import prints_json
from .speed import ENWIK8

LENGTHS = (4096, 65536, 262144, 1_000_000)
ROWS, WINDOW = 16, 32  # texts at a time; segments at a time
_SMALL = "--backbone transformer --decoder-normalize-before"
MODELS = {
    "rmt_lm of the examples' size": (f"--arch rmt_lm_tiny {_SMALL}", 32),
    "armt_lm of the examples' size": (f"--arch armt_lm_tiny {_SMALL}", 32),
    "rmt_lm of enwik8's size": ("--arch rmt_lm_enwik8", 128),
    "armt_lm of enwik8's size": (f"--arch armt_lm {ENWIK8}", 128),
}


@prints_json
@torch.no_grad()
def read(device: str, _data: str, size: str, name: str) -> Iterator[dict[str, Any]]:
    """Seconds, tokens a second of all rows and peak of memory, by the tokens of a row so far."""
    flags, segment = MODELS[name]
    torch.set_float32_matmul_precision("high")
    model = LanguageModel(208, f"{flags} --tokens-per-sample {segment}").model.to(device).eval()
    lengths = LENGTHS[:1] if size == "tiny" else LENGTHS
    holder, begun = StateHolder(), 0
    found: dict[str, Any] = {"table": [f"{name}, tf32, {ROWS} rows, segments of {segment}"]}
    memory, start = PeakMemory(torch.device(device)), time.perf_counter()
    for length in lengths:
        while begun < length:
            tokens = min(WINDOW * segment, length - begun)
            words = torch.randint(4, 208, (ROWS, tokens), device=device)
            features, _ = model.decoder(words, features_only=True, holder=holder)
            begun += tokens
        assert features.isfinite().all()
        seconds = time.perf_counter() - start
        row = {
            "seconds": round(seconds, 2),
            "tokens_per_second": round(ROWS * length / seconds),
            "peak_mib": round(memory.megabytes() * 1e6 / 2**20, 1),
        }
        found[str(length)] = row
        found["table"].append(
            f"  {length:>9,} tokens {row['seconds']:>8} s {row['tokens_per_second']:>11,} tokens/s "
            f"{row['peak_mib']:>8,} MiB"
        )
        yield found
