"""In which order what is tried."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Callable

from .cases import CASES, FIRST, OTHERS, Case, Settings, merged
from .commands import (
    NO_DROPOUT,
    PRECISIONS,
    as_on_the_cpu,
    distributed,
    resumes_exactly,
    trains_and_resumes,
    two_ways,
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
    first = [Check("machine", machine, 90), Check("data", make_data)]
    together = a_few() if quick else everything(list(PRECISIONS[device]))
    alone = [
        Check(f"speed: {name}", partial(speed, name=name, quick=quick), 25)
        for name in (SPEEDS[:1] if quick else SPEEDS)
    ]
    return Plan(first, *([c for c in checks if only in c.name] for checks in (together, alone)))


def a_few() -> list[Check]:
    """For a test."""
    return [
        *each(FIRST, "a step", a_step),
        Check("attention to nothing", attention_to_nothing),
        *trained(FIRST, ["float32"]),
        *trained(FIRST[1:2], ["bf16"]),
        *each(FIRST[:1], "as on the CPU", as_on_the_cpu, 120),
        *each(FIRST[1:2], "pytorch_ddp", distributed, backend="pytorch_ddp"),
    ]


def everything(precisions: list[str]) -> list[Check]:
    """Most important first."""
    return [
        *each(FIRST, "a step", a_step),
        Check("attention to nothing", attention_to_nothing),
        *trained(FIRST, precisions),
        *each(FIRST, "pytorch_ddp", distributed, backend="pytorch_ddp"),
        Check("objects between workers", objects_between_workers),
        *each(FIRST, "exactly", resumes_exactly),
        *each(FIRST, "as on the CPU", as_on_the_cpu, 120),
        *each(OTHERS, "a step", a_step),
        *trained(OTHERS, precisions),
        *(the_same(*same) for same in SAME if same[3] in precisions),
        *each(OTHERS, "as on the CPU", as_on_the_cpu, 120),
        *each(FIRST, "legacy_ddp", distributed, backend="legacy_ddp"),
        *each(TWO, "two workers", two_workers),
    ]


def each(
    cases: list[Case], what: str, make: Callable[..., None], seconds: float = 60, **options: Any
) -> list[Check]:
    """The same check of several cases."""
    return [
        Check(f"{case.title}, {what}", partial(make, case=case, **options), seconds)
        for case in cases
    ]


def trained(cases: list[Case], precisions: list[str]) -> list[Check]:
    """Trainings of all cases in one precision, then in the next."""
    return [
        check
        for precision in precisions
        for check in each(cases, precision, trains_and_resumes, 120, precision=precision)
    ]


def the_same(title: str, settings: Settings, criterion: str, precision: str) -> Check:
    """A row of `SAME`."""
    case = next(case for case in CASES if case.title == title)
    how = criterion or ", ".join(name for part in settings.values() for name in part)
    ways = {"one": NO_DROPOUT, "other": merged(NO_DROPOUT, settings), "criterion": criterion}
    make = partial(two_ways, case=case, precision=precision, **ways)
    return Check(f"{title} with {how}, {precision}", make)


def machine(trial: Trial) -> None:
    """There is a GPU, and this is what it is."""
    trial.figures = trial.measure("gpu_check.in_process:machine")
    if trial.where.device == "cuda" and not trial.figures["gpus"]:
        raise Stopped(f"PyTorch {trial.figures['packages']['torch']} sees no GPU: use --cpu")


def make_data(trial: Trial) -> None:
    """What is trained on."""
    trial.run("gpu_check.data:main", trial.where.data)


def a_step(trial: Trial, case: Case) -> None:
    """A training step, here and on the CPU."""
    arguments = CASES.index(case), trial.where.data, trial.where.device
    trial.take(trial.measure("gpu_check.in_process:step_as_on_the_cpu", *arguments))


def attention_to_nothing(trial: Trial) -> None:
    """Rows that may look nowhere."""
    trial.take(trial.measure("gpu_check.in_process:attention_to_nothing", trial.where.device))


def objects_between_workers(trial: Trial) -> None:
    """What workers send each other."""
    backend = "nccl" if trial.where.device == "cuda" else "gloo"
    trial.take(trial.measure("gpu_check.in_process:collectives", backend))


def speed(trial: Trial, name: str, quick: bool) -> None:
    """Of a model of ordinary size."""
    seconds, size = (0, "tiny") if quick else (1, "whole")
    trial.figures = trial.measure("gpu_check.speed:speed", name, trial.where.device, seconds, size)
    for precision, found in trial.figures.items():
        trial.expect("error" not in found, f"{precision}: {found.get('error')}")
