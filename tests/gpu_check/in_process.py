"""Checks inside one process: a training step here and on the CPU.

Run in processes of their own, these functions print what they found as JSON.
"""

import copy
import json
import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from benchmarks.peak_memory import Peak
from fairseq import options, tasks, utils
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.optim import AMPOptimizer
from torch import Tensor, nn

from .cases import CASES, PLUGIN, flags

STEPS = 2  # the second begins with the memory that the first has left
# By precision: how far a loss may be from float64's on a CPU, in parts of it, and gradients, in
# parts of their norm. Half precision is only asked for the loss, and for finite gradients.
# (fairseq's criterions take the softmax in float32, also in a model of float64.)
NEAR = {"float64": (1e-6, 1e-5), "float32": (1e-5, 1e-3), "float16": (2e-2, None),
        "amp": (2e-2, None), "bfloat16": (5e-2, None)}  # fmt: skip


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


@dataclass
class Step:
    """What a few training steps gave.

    Attributes:
        losses: of a token, of every step.
        gradients: of all steps together, on the CPU in float64.
        mebibytes: peak of memory of the last step, less what was held before it.
    """

    losses: list[float]
    gradients: dict[str, Tensor]
    mebibytes: float


def step_as_on_the_cpu() -> None:
    """Losses and gradients of a case in every precision, beside float64 on the CPU.

    The command line: number of the case, folder of the data, device.
    """
    number, data, device = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    setup = Setup(CASES[number], data)
    wanted = setup.steps("cpu", "float64")
    figures: dict[str, Any] = {"losses": wanted.losses}
    problems = []
    precisions = [p for p in NEAR if device != "cpu" or p not in ("float64", "amp")]
    for precision in precisions:
        try:
            got = setup.steps(device, precision)
        except Exception as error:
            problems.append(f"{precision}: {type(error).__name__}: {error}")
            continue
        figures[precision] = found = compared(got, wanted)
        loss, gradients = NEAR[precision]
        if not found["finite"]:
            problems.append(f"{precision}: a loss or a gradient is no number")
        elif found["losses_apart"] > loss or found["gradients_apart"] > (gradients or float("inf")):
            problems.append(f"{precision}: {found} is too far from float64 on the CPU")
    print(json.dumps({"figures": figures, "problems": problems}))


class Setup:
    """Task, model and batches of a case, all on the CPU."""

    def __init__(self, case: Any, data: Path) -> None:
        no_dropout = {"model": {"dropout": 0.0, "attention_dropout": 0.0}}
        utils.import_user_module(options.argparse.Namespace(user_dir=str(PLUGIN)))
        parser = options.get_training_parser()
        arguments = options.parse_args_and_arch(parser, flags(case, data, no_dropout))
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


def attention_to_nothing() -> None:
    """Rows that may look nowhere are finite, and harm no gradient, in every scheme and precision.

    The command line: device.
    """
    import fairseq_memtx.models  # noqa: F401
    from fairseq_memtx.memory import (
        ChunkedAttention,
        DenseAttention,
        HashedAttention,
        WindowAttention,
    )

    device = sys.argv[1]
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
    figures, problems = {}, []
    for name, scheme in schemes.items():
        for memory_tokens in (0, 4):
            wanted = None
            for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
                there = "cpu" if wanted is None else device
                q, k, v = (x.to(there, dtype, copy=True).requires_grad_() for x in inputs)
                memory = q.new_zeros(2, 2, memory_tokens, 32)
                out = scheme.to(there)(q, k, v, memory, memory, real.to(there))
                (out * real.to(there, dtype)[:, None, :, None]).sum().backward()
                results = [x.detach().cpu().double() for x in (out, q.grad, k.grad, v.grad)]
                title = f"{name}, M={memory_tokens}, {str(dtype).removeprefix('torch.')}"
                if not all(bool(result.isfinite().all()) for result in results):
                    problems.append(f"{title}: not finite")
                wanted = wanted or results
                # Hashes that are nearly alike may differ with the precision.
                if name != "lsh" or dtype is torch.float32:
                    apart = float((results[0] - wanted[0])[0, :, :30].abs().max())
                    figures[title] = apart
                    if apart > {torch.float64: 1e-12, torch.float32: 1e-4}.get(dtype, 0.1):
                        problems.append(f"{title}: {apart:.2e} from the CPU")
    print(json.dumps({"figures": figures, "problems": problems}))


def collectives() -> None:
    """Objects that workers exchange, by the backend that the command line names."""
    from torch import distributed

    store = Path("group").absolute().as_uri()
    distributed.init_process_group(sys.argv[1], init_method=store, rank=0, world_size=1)
    sent = {"state": (torch.arange(3.0), None), "name": "streams"}
    got: dict[str, list[Any]] = {"gather": [None], "all_gather": [None], "broadcast": [sent]}
    distributed.gather_object(sent, got["gather"], 0)
    distributed.all_gather_object(got["all_gather"], sent)
    distributed.broadcast_object_list(got["broadcast"], 0)
    problems = [
        f"{name} gave something else"
        for name, (one,) in got.items()
        if one["name"] != "streams" or not torch.equal(one["state"][0], torch.arange(3.0))
    ]
    distributed.destroy_process_group()
    print(json.dumps({"figures": {}, "problems": problems}))


def compare_checkpoints() -> None:
    """How far apart the weights of the two checkpoints that the command line names are."""
    import fairseq_memtx.models  # noqa: F401

    one, other = (torch.load(path, "cpu", weights_only=True)["model"] for path in sys.argv[1:3])
    apart = {
        name: float((one[name].double() - other[name].double()).abs().max())
        for name in one
        if one[name].is_floating_point() and one[name].numel()
    }
    worst = max(apart, key=apart.get)
    finite = all(bool(value.isfinite().all()) for w in (one, other) for value in w.values())
    bits = all(torch.equal(one[name], other[name]) for name in one)
    print(json.dumps({"bits": bits, "apart": apart[worst], "weight": worst, "finite": finite}))


def machine() -> None:
    """What this machine is."""
    import importlib.metadata as metadata
    import os
    import platform
    import shutil

    def version(package: str) -> str:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return "none"

    packages = ("torch", "numpy", "ve-fairseq", "omegaconf", "hydra-core", "transformers",
                "sacrebleu", "triton", "bitarray", "sacremoses", "tensorboard")  # fmt: skip
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "shared_memory_gib": round(shutil.disk_usage("/dev/shm").total / 2**30, 1),
        "packages": {package: version(package) for package in packages},
        "cuda": torch.version.cuda,
        "gpus": torch.cuda.device_count(),
    }
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        found.update(
            gpu=properties.name,
            capability=f"{properties.major}.{properties.minor}",
            memory_gib=round(properties.total_memory / 2**30, 1),
            cudnn=torch.backends.cudnn.version(),
            nccl=".".join(map(str, torch.cuda.nccl.version())),
            bf16=torch.cuda.is_bf16_supported(),
        )
        assert float(torch.ones(3, device="cuda").sum()) == 3
    print(json.dumps(found))
