"""In which order what is tried."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from .cases import CASES, FIRST, OTHERS, Case
from .commands import (
    PRECISIONS,
    as_on_the_cpu,
    distributed,
    resumes_exactly,
    same_with,
    trains_and_resumes,
    two_workers,
)
from .trial import Check, Stopped, Trial

# What computes the same in another way: a case by its title, settings, criterion, precision.
SAME = [
    ("mem_transformer tokens", {"model": {"checkpoint_activations": True}}, "", "float32"),
    ("mem_transformer tokens", {"model": {"checkpoint_activations": True}}, "", "amp"),
    ("mem_transformer tokens", {}, "label_smoothed_cross_entropy", "fp16"),
    ("rmt_lm transformer-xl", {"model": {"checkpoint_segments": True}}, "", "float32"),
    ("rmt_lm transformer-xl", {"model": {"checkpoint_segments": True}}, "", "amp"),
    ("rmt_lm transformer-xl", {}, "cross_entropy", "fp16"),
    ("gmat_roberta chunked", {"model": {"checkpoint_activations": True}}, "", "float32"),
    ("gmat_roberta lsh", {"model": {"checkpoint_activations": True}}, "", "amp"),
    ("mem_transformer tokens", {"dataset": {"num_workers": 2}}, "", "float32"),
    ("mem_transformer tokens", {"common": {"memory_efficient_fp16": True}}, "", "fp16"),
]
# The streams of two workers are not those of one, so `rmt_lm` is not among them.
TWO = [FIRST[0], FIRST[2]]
SPEEDS = [
    "mem_transformer_multi30k",
    "rmt_lm_enwik8",
    "gmat_roberta_base, 4,096 tokens",
    "roberta, 4,096 tokens",
    "rmt_transformer_xl_enwik8",
    "transformer_lm of the same sizes",
    "transformer of the same sizes",
    "rmt_lm_enwik8, transformer",
]


@dataclass(frozen=True)
class Plan:
    """Checks in three parts.

    Attributes:
        first: without which there is nothing to try.
        together: several at a time.
        alone: one at a time, since they measure times.
    """

    first: list[Check]
    together: list[Check]
    alone: list[Check]


def plan(device: str, quick: bool, only: str = "") -> Plan:
    """What to try.

    Args:
        device: "cuda" or "cpu".
        quick: only as many as a test has time for.
        only: those alone that have this in their name.
    """
    first = [Check("machine", _machine, 90), Check("data", _data, 60)]
    together = _a_few() if quick else _all(device)
    names = SPEEDS[:1] if quick else SPEEDS
    alone = [_speed(name, device, quick) for name in names]
    return Plan(first, *([c for c in checks if only in c.name] for checks in (together, alone)))


def _a_few() -> list[Check]:
    return [
        *_steps(FIRST),
        _nothing(),
        *(_trains(case, "float32") for case in FIRST),
        _trains(FIRST[1], "bf16"),
        *_as_on_the_cpu(FIRST[:1]),
        *_distributed(FIRST[1:2], "pytorch_ddp"),
    ]


def _all(device: str) -> list[Check]:
    precisions = list(PRECISIONS[device])
    return [
        *_steps(FIRST),
        _nothing(),
        *(_trains(case, precision) for precision in precisions for case in FIRST),
        *_distributed(FIRST, "pytorch_ddp"),
        _objects(),
        *(Check(f"{case.title}, exactly", partial(resumes_exactly, case=case)) for case in FIRST),
        *_as_on_the_cpu(FIRST),
        *_steps(OTHERS),
        *(_trains(case, precision) for precision in precisions for case in OTHERS),
        *(_same(*same) for same in SAME if same[3] in precisions),
        *_as_on_the_cpu(OTHERS),
        *_distributed(FIRST, "legacy_ddp"),
        *(Check(f"{case.title}, two workers", partial(two_workers, case=case)) for case in TWO),
    ]


def _machine(trial: Trial) -> None:
    """There is a GPU, and this is what it is."""
    trial.figures = trial.measure("gpu_check.models:machine")
    if trial.where.device == "cuda" and not trial.figures["gpus"]:
        raise Stopped(f"PyTorch {trial.figures['packages']['torch']} sees no GPU: use --cpu")


def _data(trial: Trial) -> None:
    trial.run("gpu_check.data:main", trial.where.data)


def _nothing() -> Check:
    def attention(trial: Trial) -> None:
        _found(trial, trial.measure("gpu_check.models:attention_to_nothing", trial.where.device))

    return Check("attention to nothing", attention)


def _objects() -> Check:
    def exchange(trial: Trial) -> None:
        backend = "nccl" if trial.where.device == "cuda" else "gloo"
        _found(trial, trial.measure("gpu_check.models:collectives", backend))

    return Check("objects between workers", exchange)


def _steps(cases: list[Case]) -> list[Check]:
    """A training step of each, here and on the CPU."""

    def step(trial: Trial, case: Case) -> None:
        number, where = CASES.index(case), trial.where
        arguments = number, where.data, where.device
        _found(trial, trial.measure("gpu_check.models:step_as_on_the_cpu", *arguments))

    return [Check(f"{case.title}, a step", partial(step, case=case)) for case in cases]


def _found(trial: Trial, found: dict) -> None:
    trial.figures, trial.problems = found["figures"], found["problems"]


def _trains(case: Case, precision: str) -> Check:
    make = partial(trains_and_resumes, case=case, precision=precision)
    return Check(f"{case.title}, {precision}", make, 120)


def _as_on_the_cpu(cases: list[Case]) -> list[Check]:
    return [
        Check(f"{case.title}, as on the CPU", partial(as_on_the_cpu, case=case), 120)
        for case in cases
    ]


def _distributed(cases: list[Case], backend: str) -> list[Check]:
    return [
        Check(f"{case.title}, {backend}", partial(distributed, case=case, backend=backend))
        for case in cases
    ]


def _same(title: str, settings: dict, criterion: str, precision: str) -> Check:
    case = next(case for case in CASES if case.title == title)
    how = criterion or ", ".join(name for part in settings.values() for name in part)
    make = partial(
        same_with, case=case, settings=settings, criterion=criterion, precision=precision
    )
    return Check(f"{title} with {how}, {precision}", make)


def _speed(name: str, device: str, quick: bool) -> Check:
    def speed(trial: Trial) -> None:
        seconds, size = (0, "tiny") if quick else (1, "whole")
        trial.figures = trial.measure("gpu_check.speed:speed", name, device, seconds, size)
        for precision, found in trial.figures.items():
            trial.expect("error" not in found, f"{precision}: {found.get('error')}")

    return Check(f"speed: {name}", speed, 25)
