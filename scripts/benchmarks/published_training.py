"""The training that was published with RMT, as its own script does it, on a CPU.

Nothing of https://github.com/booydar/LM-RMT is in this project: a checkout is run from outside.
What its script of 2019 needs for that is in `BEGINNING`.
"""

import re
import statistics
import subprocess
import sys
from pathlib import Path

import torch

from fairseq_memtx.errors import MemtxError

# It takes the version of CUDA to pieces, of which a torch without CUDA has none; it finds its other
# files from its own folder; it keeps its text as a pickle, which torch does not read again; and in
# the end it looks for a model that it has not saved.
BEGINNING = """
import resource, runpy, sys, torch
torch.version.cuda = torch.version.cuda or "0.0"
torch.save = lambda *saved: None
sys.path[:0] = [".", "utils"]
try:
    runpy.run_path("train.py", run_name="__main__")
finally:
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10} MiB")
"""
SYMBOLS = 208  # of the text, as of the other models


def write_text(folder: Path, length: int, numbers: torch.Generator) -> None:
    """A random text in its format, and short ones that it wants to have read, too."""
    folder.mkdir()
    for split in ("train", "valid", "test"):
        count = length if split == "train" else SYMBOLS
        symbols = torch.randint(SYMBOLS, (count,), generator=numbers)
        (folder / f"{split}.txt").write_text(" ".join(map(str, symbols.tolist())) + "\n")


def script(checkout: Path) -> Path:
    """Its ``train.py``.

    Raises:
        MemtxError: if there is none.
    """
    file = checkout.absolute() / "pytorch/train.py"
    if not file.is_file():
        raise MemtxError(
            f"there is no {file}: give --published a checkout of https://github.com/booydar/LM-RMT"
        )
    return file


def run(checkout: Path, line: list[str], tokens: int) -> tuple[float, float]:
    """Words a second, the median of all intervals of its log but the first, and MiB at the peak.

    Args:
        checkout: of its repository.
        line: the flags of its ``train.py``; it has to save nothing (``--debug``).
        tokens: of a batch.

    Raises:
        MemtxError: if it does not train.
    """
    file = script(checkout)
    done = subprocess.run(
        [sys.executable, "-c", BEGINNING, *line], cwd=file.parent, capture_output=True, text=True
    )
    milliseconds = [float(found) for found in re.findall(r"ms/batch +([\d.]+)", done.stdout)[1:]]
    if not milliseconds:
        raise MemtxError(f"{file} did not train: {done.stderr.strip()[-500:]}")
    [peak] = re.findall(r"^peak ([\d.]+) MiB$", done.stdout, re.MULTILINE)
    return 1000 * tokens / statistics.median(milliseconds), float(peak)
