"""In which order what is tried."""

from functools import partial
from typing import Any, Callable, NamedTuple

from .cases import CASES, FIRST, NO_DROPOUT, OTHERS, Case
from .commands import (
    PRECISIONS,
    as_on_the_cpu,
    distributed,
    resumes_exactly,
    trains_and_resumes,
    two_ways,
    two_workers,
)
from .trial import Trial

# What computes the same in another way: a case by its title, settings, criterion, precision.
SAME = [
    ("mem_transformer tokens", "model.checkpoint_activations=true", "", "float32"),
    ("mem_transformer tokens", "model.checkpoint_activations=true", "", "amp"),
    ("mem_transformer tokens", "", "label_smoothed_cross_entropy", "fp16"),
    ("rmt_lm transformer-xl", "model.checkpoint_segments=true", "", "float32"),
    ("rmt_lm transformer-xl", "model.checkpoint_segments=true", "", "amp"),
    ("rmt_lm transformer-xl", "", "cross_entropy", "fp16"),
    ("gmat_roberta chunked", "model.checkpoint_activations=true", "", "float32"),
    ("gmat_roberta lsh", "model.checkpoint_activations=true", "", "amp"),
    ("mem_transformer tokens", "dataset.num_workers=2", "", "float32"),
    ("mem_transformer tokens", "common.memory_efficient_fp16=true", "", "fp16"),
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


class Plan(NamedTuple):
    """Checks in three parts."""

    first: list[Trial]  # without which there is nothing to try
    together: list[Trial]  # several at a time
    alone: list[Trial]  # one at a time, since they measure times


def plan(device: str, quick: bool, only: str = "") -> Plan:
    """What to try, most important first.

    Args:
        device: "cuda" or "cpu".
        quick: only as many as a test has time for.
        only: those alone that have this in their name.
    """
    first = [found_by("machine", "in_process:machine", limit=90), Trial("data", make_data)]
    precisions = list(PRECISIONS[device])
    steps = [
        found_by(f"{case.title}, a step", "in_process:a_step", number)
        for number, case in enumerate(CASES)
    ]
    together = [
        *steps[: len(FIRST)],
        found_by("attention to nothing", "in_process:attention_to_nothing"),
    ]
    if quick:
        together += [
            *trained(FIRST, ["float32"]),
            *trained(FIRST[1:2], ["bf16"]),
            *each(FIRST[:1], "as on the CPU", as_on_the_cpu, 120),
            *each(FIRST[1:2], "pytorch_ddp", distributed, backend="pytorch_ddp"),
        ]
    else:
        together += [
            *trained(FIRST, precisions),
            *each(FIRST, "pytorch_ddp", distributed, backend="pytorch_ddp"),
            found_by("objects between workers", "in_process:collectives"),
            *each(FIRST, "exactly", resumes_exactly),
            *each(FIRST, "as on the CPU", as_on_the_cpu, 120),
            *steps[len(FIRST) :],
            *trained(OTHERS, precisions),
            *(the_same(*same) for same in SAME if same[3] in precisions),
            *each(OTHERS, "as on the CPU", as_on_the_cpu, 120),
            *each(FIRST, "legacy_ddp", distributed, backend="legacy_ddp"),
            *each(TWO, "two workers", two_workers),
        ]
    how = (0, "tiny") if quick else (1, "whole")
    alone = [
        found_by(f"speed: {name}", "speed:speed", name, *how, limit=25)
        for name in SPEEDS[: 1 if quick else None]
    ]
    return Plan(first, *([c for c in part if only in c.name] for part in (together, alone)))


def each(
    cases: list[Case], what: str, make: Callable[..., None], limit: float = 60, **options: Any
) -> list[Trial]:
    """The same check of several cases."""
    return [
        Trial(f"{case.title}, {what}", partial(make, case=case, **options), limit) for case in cases
    ]


def trained(cases: list[Case], precisions: list[str]) -> list[Trial]:
    """Trainings of all cases in one precision, then in the next."""
    return [
        trial
        for precision in precisions
        for trial in each(cases, precision, trains_and_resumes, 120, precision=precision)
    ]


def the_same(title: str, settings: str, criterion: str, precision: str) -> Trial:
    """A row of `SAME`."""
    [case] = [case for case in CASES if case.title == title]
    how = criterion or settings.partition(".")[2].partition("=")[0]
    ways = {"one": NO_DROPOUT, "other": f"{NO_DROPOUT} {settings}", "criterion": criterion}
    make = partial(two_ways, case=case, precision=precision, **ways)
    return Trial(f"{title} with {how}, {precision}", make)


def found_by(name: str, function: str, *arguments: object, limit: float = 60) -> Trial:
    """What a function finds on the device, in a process of its own."""

    def make(trial: Trial) -> None:
        where = trial.where
        trial.figures = trial.measure(function, where.device, where.data, *arguments)

    return Trial(name, make, limit)


def make_data(trial: Trial) -> None:
    """What is trained on."""
    trial.run("gpu_check.data:main", trial.where.data)
