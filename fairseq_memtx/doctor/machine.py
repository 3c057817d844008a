"""What the machine can compute with: GPUs, precisions, threads."""

import os
from collections.abc import Iterator

from . import Finding

# By which flags fairseq trains so.
HALF = {
    "cuda": {"float16": "--fp16 or --amp", "bfloat16": "--bf16"},
    "cpu": {"float16": "--memory-efficient-fp16", "bfloat16": "--bf16 or --amp"},
}


def gpus() -> Iterator[Finding]:
    """The GPUs that torch sees."""
    import torch

    if not torch.cuda.is_available():
        build = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for CPUs"
        yield Finding("note", f"no GPU for torch, which is {build}", "train with --cpu")
    for number in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(number)
        yield Finding("ok", f"GPU {number}: {about.name}, {about.total_memory / 2**30:.0f} GiB")


def precisions() -> Iterator[Finding]:
    """Whether products in half precision are right."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    numbers = torch.linspace(-1, 1, 64, device=device).view(8, 8)
    for name, flag in HALF[device].items():
        try:
            half = numbers.to(getattr(torch, name))
            apart = float((half @ half - numbers @ numbers).abs().max())
        except RuntimeError as error:
            yield Finding("note", f"no {name} on {device} ({error})", f"leave out {flag}")
            continue
        wrong = Finding("fault", f"{name} on {device} is wrong by {apart}", f"leave out {flag}")
        yield Finding("ok", f"{name} on {device}: {flag}") if apart < 0.1 else wrong


def bfloat16_instructions() -> Iterator[Finding]:
    """Whether bfloat16 pays on this processor."""
    from ..flags.cpu_precision import instructions

    found = ", ".join(sorted(instructions()))
    if found:
        yield Finding("ok", f"this processor has {found}: --bf16 may pay on it")
    else:
        what = "no instructions for bfloat16 (avx512_bf16, amx_bf16) in this processor"
        yield Finding("note", what, "--bf16 and --amp do not pay on it")


def threads() -> Iterator[Finding]:
    """How many threads compute, and whether they spin while they wait."""
    import torch

    count = torch.get_num_threads()
    what = f"{count} of {os.cpu_count()} cores' threads with OpenMP"
    if not torch.backends.openmp.is_available():
        yield Finding("note", "torch is built without OpenMP", "it will be slow on a CPU")
    elif count > 1 and os.environ.get("OMP_WAIT_POLICY", "").lower() != "passive":
        advice = "OMP_WAIT_POLICY=passive, or OMP_NUM_THREADS=1 for tiny models, or a CPU crawls"
        yield Finding("note", what, f"set {advice}")
    else:
        yield Finding("ok", what)
