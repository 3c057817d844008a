"""Checks inside one process: a training step here and on the CPU.

Each runs in a process of its own, is given the device and the folder of the data first, and prints
what it found as JSON.
"""

import copy
import json
import math
import platform
import shutil
import sys
from functools import wraps
from itertools import islice, product
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

import torch
from benchmarks.peak_memory import Peak
from fairseq import options, tasks, utils
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.optim import AMPOptimizer
from torch import Tensor, distributed, nn

import fairseq_memtx.models  # noqa: F401
from fairseq_memtx.doctor.examination import examine
from fairseq_memtx.memory import (
    ChunkedAttention,
    DenseAttention,
    HashedAttention,
    WindowAttention,
)

from .cases import CASES, NO_DROPOUT, Case, flags

STEPS = 2  # the second begins with the memory that the first has left
# By precision: how far a loss may be from float64's on a CPU, in parts of it, and gradients, in
# parts of their norm. Half precision is only asked for the loss, and for finite gradients.
# (fairseq's criterions take the softmax in float32, also in a model of float64.)
NEAR = {"float64": (1e-6, 1e-5), "float32": (1e-5, 1e-3), "float16": (2e-2, math.inf),
        "amp": (2e-2, math.inf), "bfloat16": (5e-2, math.inf)}  # fmt: skip


def prints_json(
    function: Callable[..., dict[str, Any] | Iterator[dict[str, Any]]],
) -> Callable[[], None]:
    """The function as a command, with the arguments of the command line.

    One that yields has more and more to tell, and the last is all of it.
    """

    @wraps(function)
    def command() -> None:
        found = function(*sys.argv[1:])
        for told in [found] if isinstance(found, dict) else found:
            print(json.dumps(told), flush=True)

    return command


class Backward:
    """As much of an optimiser as a training step asks for."""

    scaler = None

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def backward(self, loss: Tensor) -> None:
        """Gradients of the loss times a scale that keeps those of half precision in range."""
        (loss * self.scale).backward()


class AmpBackward(Backward, AMPOptimizer):
    """The same; by its class it turns AMP on."""


class Step(NamedTuple):
    """What a few training steps gave."""

    losses: list[float]  # of a token, of every step
    gradients: dict[str, Tensor]  # of all steps together, on the CPU in float64
    mebibytes: float  # peak of memory of the last step, less what was held before it


@prints_json
def a_step(device: str, data: str, number: str) -> dict[str, Any]:
    """Losses and gradients of a case in every precision, beside float64 on the CPU."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    setup = Setup(CASES[int(number)], Path(data))
    wanted = setup.steps("cpu", "float64")
    problems: list[str] = []
    figures: dict[str, Any] = {"losses": wanted.losses, "problems": problems}
    for precision, (loss, gradients) in NEAR.items():
        if device == "cpu" and precision in ("float64", "amp"):
            continue
        try:
            got = setup.steps(device, precision)
        except Exception as error:
            problems.append(f"{precision}: {type(error).__name__}: {error}")
            continue
        figures[precision] = found = compared(got, wanted)
        if not found["finite"]:
            problems.append(f"{precision}: a loss or a gradient is no number")
        elif found["losses_apart"] > loss or found["gradients_apart"] > gradients:
            problems.append(f"{precision}: {found} is too far from float64 on the CPU")
    return figures


class Setup:
    """Task, model and batches of a case, all on the CPU."""

    def __init__(self, case: Case, data: Path) -> None:
        parser = options.get_training_parser()
        arguments = options.parse_args_and_arch(parser, flags(case, data, NO_DROPOUT))
        self.cfg = convert_namespace_to_omegaconf(arguments)
        self.task = tasks.setup_task(self.cfg.task)
        self.task.load_dataset("train")
        torch.manual_seed(1)
        self.model = self.task.build_model(self.cfg.model)
        iterator = self.task.get_batch_iterator(
            self.task.dataset("train"),
            max_tokens=self.cfg.dataset.max_tokens,
            max_sentences=self.cfg.dataset.batch_size,
            seed=1,
        )
        self.batches = list(islice(iterator.next_epoch_itr(shuffle=False), STEPS))

    def steps(self, device: str, precision: str) -> Step:
        """A few training steps without updates."""
        amp = precision == "amp"
        dtype = torch.float32 if amp else getattr(torch, precision)
        model = copy.deepcopy(self.model).to(device=device, dtype=dtype)
        criterion = self.task.build_criterion(self.cfg.criterion).to(device=device, dtype=dtype)
        batches = copy.deepcopy(self.batches)
        if device != "cpu":
            batches = utils.move_to_cuda(batches)
        scale = 1 / sum(batch["ntokens"] for batch in batches)
        losses = []
        for batch in batches:
            optimizer = (AmpBackward if amp else Backward)(scale)
            with Peak(device) as peak:
                loss, size, _ = self.task.train_step(batch, model, criterion, optimizer, 0)
            losses.append(float(loss) / float(size))
        gradients = {
            name: parameter.grad.double().cpu()
            for name, parameter in nn.ModuleList([model, criterion]).named_parameters()
            if parameter.grad is not None
        }
        return Step(losses, gradients, peak.mebibytes)


def compared(got: Step, wanted: Step) -> dict[str, Any]:
    """How far apart two steps are."""
    assert got.gradients.keys() == wanted.gradients.keys(), "other weights have a gradient"
    pairs = [(got.gradients[name], wanted.gradients[name]) for name in wanted.gradients]
    apart = sum(float((a - b).square().sum()) for a, b in pairs) ** 0.5
    norm = sum(float(b.square().sum()) for _, b in pairs) ** 0.5
    losses = list(zip(got.losses, wanted.losses))
    return {
        "losses_apart": max(abs(a - b) / abs(b) for a, b in losses),
        "gradients_apart": apart / norm,
        "finite": all(bool(a.isfinite().all()) for a, _ in pairs),
        "mebibytes": round(got.mebibytes, 2),
    }


@prints_json
def attention_to_nothing(device: str, _data: str) -> dict[str, Any]:
    """In every scheme and precision, rows that may look nowhere are finite and harm no gradient."""
    schemes = {
        "chunked": ChunkedAttention(16),
        "window": WindowAttention(16),
        "none": DenseAttention(),
        "lsh": HashedAttention(16, 8, 2, 32),
    }
    numbers = torch.Generator().manual_seed(1)
    inputs = [torch.randn(2, 2, 70, 32, generator=numbers).double() for _ in range(3)]
    real = torch.ones(2, 70, dtype=torch.bool)
    real[0, 30:] = False  # whole chunks and windows of padding
    real[1] = False  # nothing but padding
    problems: list[str] = []
    figures: dict[str, Any] = {"problems": problems}
    for (name, scheme), memory_tokens in product(schemes.items(), (0, 4)):
        wanted: list[Tensor] = []
        for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
            there = device if wanted else "cpu"
            q, k, v = (x.to(there, dtype, copy=True).requires_grad_() for x in inputs)
            memory = q.new_zeros(2, 2, memory_tokens, 32)
            out = scheme.to(there)(q, k, v, memory, memory, real.to(there))
            (out * real.to(there, dtype)[:, None, :, None]).sum().backward()
            results = [x.detach().cpu().double() for x in (out, q.grad, k.grad, v.grad)]
            wanted = wanted or results
            title = f"{name}, M={memory_tokens}, {str(dtype).removeprefix('torch.')}"
            if not all(bool(result.isfinite().all()) for result in results):
                problems.append(f"{title}: not finite")
            # Hashes that are nearly alike may differ with the precision.
            if name != "lsh" or dtype is torch.float32:
                apart = float((results[0] - wanted[0])[0, :, :30].abs().max())
                figures[title] = apart
                if apart > {torch.float64: 1e-12, torch.float32: 1e-4}.get(dtype, 0.1):
                    problems.append(f"{title}: {apart:.2e} from the CPU")
    return figures


@prints_json
def collectives(device: str, _data: str) -> dict[str, Any]:
    """Objects that workers exchange."""
    backend, store = "gloo" if device == "cpu" else "nccl", Path("group").absolute().as_uri()
    distributed.init_process_group(backend, init_method=store, rank=0, world_size=1)
    sent = {"state": (torch.arange(3.0), None), "name": "streams"}
    got: dict[str, list[Any]] = {"gather": [None], "all_gather": [None], "broadcast": [sent]}
    distributed.gather_object(sent, got["gather"], 0)
    distributed.all_gather_object(got["all_gather"], sent)
    distributed.broadcast_object_list(got["broadcast"], 0)
    distributed.destroy_process_group()
    problems = [
        f"{name} gave something else"
        for name, (one,) in got.items()
        if one["name"] != "streams" or not torch.equal(one["state"][0], torch.arange(3.0))
    ]
    return {"problems": problems}


@prints_json
def compare_checkpoints(*paths: str) -> dict[str, Any]:
    """How far apart the weights of two checkpoints are."""
    one, other = (torch.load(path, "cpu", weights_only=True)["model"] for path in paths)
    apart = {
        name: float((one[name].double() - other[name].double()).abs().max())
        for name in one
        if one[name].is_floating_point() and one[name].numel()
    }
    worst = max(apart, key=apart.get)
    finite = all(bool(value.isfinite().all()) for w in (one, other) for value in w.values())
    bits = all(torch.equal(one[name], other[name]) for name in one)
    return {"bits": bits, "apart": apart[worst], "weight": worst, "finite": finite}


@prints_json
def machine(device: str, _data: str) -> dict[str, Any]:
    """What this machine is, as ``fairseq-memtx doctor`` tells it, and that it has a GPU."""
    found: dict[str, Any] = {"kernel": platform.release(), "cuda": torch.version.cuda}
    found["shared_memory_gib"] = round(shutil.disk_usage("/dev/shm").total / 2**30, 1)
    found["doctor"] = list(map(str, examine()))
    if not torch.cuda.is_available():
        missing = f"PyTorch {torch.__version__} sees no GPU: use --cpu"
        return {**found, "problems": [missing] * (device == "cuda")}
    assert float(torch.ones(3, device="cuda").sum()) == 3
    return {
        **found,
        "capability": torch.cuda.get_device_capability(),
        "cudnn": torch.backends.cudnn.version(),
        "nccl": torch.cuda.nccl.version(),
        "bf16": torch.cuda.is_bf16_supported(),
    }
