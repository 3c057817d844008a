"""In which order what is tried."""

from functools import partial
from pathlib import Path
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
from .effects import effects
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
    ("gmat_roberta chunked", "model.attention_kernel=flex", "", "float32"),
    ("gmat_roberta window", "model.attention_kernel=flex", "", "amp"),
    ("mem_transformer tokens", "dataset.num_workers=2", "", "float32"),
    ("mem_transformer tokens", "common.memory_efficient_fp16=true", "", "fp16"),
]
# The streams of two workers are not those of one, so `rmt_lm` is not among them.
TWO = [FIRST[0], FIRST[2]]
# Of `long_reading`, which the process of the plan does not import.
READERS = [f"{family} of {size} size" for size in ("the examples'", "enwik8's")
           for family in ("rmt_lm", "armt_lm")]  # fmt: skip
LENGTHS = (4096, 16384, 1024, 65536)  # of documents
DOCUMENT_LIMITS = {4096: 75, 65536: 80}  # seconds; of the others, those of all rows


class Stage(NamedTuple):
    """Checks that are made together."""

    trials: list[Trial]  # most important first
    jobs: int  # how many at a time
    until: float = 1.0  # the share of all time after which none of them goes on


class Wanted(NamedTuple):
    """What was asked for."""

    device: str = "cuda"  # or "cpu"
    quick: bool = False  # only as much as a test has time for
    part: str = "check"  # or "speed", or "all"
    jobs: int = 2  # commands at a time
    only: str = ""  # those checks alone that have this in their name
    published: Path | None = None  # a checkout of the code that was published with RMT
    multi30k: Path | None = None  # that set, as `examples/translation` prepares it


def plan(wanted: Wanted) -> list[Stage]:
    """What to try, most important first. The first stage has to pass.

    Speed comes first, since it wants the machine for itself: little more than half of the time.
    Readings of a million tokens and trainings of the papers' effects go on beside the checks.
    """
    first = [found_by("machine", "in_process:machine", limit=90), Trial("data", make_data)]
    stages = [Stage(first, 1)]
    share = 0.55 if wanted.part == "all" else 1.0
    if wanted.part != "check":
        stages.append(Stage(speeds(wanted), 1, share))
        read, papers = readings(wanted), effects(wanted.device, wanted.quick, wanted.multi30k)
    else:
        read, papers = [], []
    checks_ = checks(wanted) if wanted.part != "speed" else []
    # Seeds beyond the first wait until the checks are done.
    early, late = papers[:6], papers[6:]
    jobs = max(wanted.jobs, len(read) + 1)  # one for the checks at least
    stages.append(Stage([*early, *read, *checks_, *late], len(early) + jobs))
    return [
        stage._replace(trials=[trial for trial in stage.trials if wanted.only in trial.name])
        if number
        else stage
        for number, stage in enumerate(stages)
    ]


def checks(wanted: Wanted) -> list[Trial]:
    """Whether all is right."""
    precisions = list(PRECISIONS[wanted.device])
    steps = [
        found_by(f"{case.title}, a step", "in_process:a_step", number)
        for number, case in enumerate(CASES)
    ]
    found = [
        *steps[: len(FIRST)],
        found_by("attention to nothing", "in_process:attention_to_nothing"),
    ]
    if wanted.quick:
        return [
            *found,
            *trained(FIRST, ["float32"]),
            *trained(FIRST[1:2], ["bf16"]),
            *each(FIRST[:1], "as on the CPU", as_on_the_cpu, 120),
            *each(FIRST[1:2], "pytorch_ddp", distributed, backend="pytorch_ddp"),
        ]
    return [
        *found,
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


def speeds(wanted: Wanted) -> list[Trial]:
    """How fast, one row after the other."""
    size = (0, "tiny") if wanted.quick else (3, "whole")  # seconds of rounds
    three = "amp" if wanted.quick else "tf32,amp,bf16"
    published = wanted.published.resolve() if wanted.published else ""

    def row(name: str, function: str, *more: object, limit: float = 50) -> Trial:
        return found_by(f"speed: {name}", function, *size, *more, limit=limit)

    lengths = (32,) if wanted.quick else LENGTHS
    precisions = "amp" if wanted.quick else "amp,tf32"  # of the first; of the others, amp alone
    first, *documents = (
        row(f"documents of {length:,}", "document_speed:documents",
            "amp" if number else precisions, length, limit=DOCUMENT_LIMITS.get(length, 50))
        for number, length in enumerate(lengths)
    )  # fmt: skip
    kernels = row("FlexAttention", "document_speed:kernels", "amp",
                  lengths[0], limit=80)  # fmt: skip
    base = [] if wanted.quick else [row("translation, base", "speed:translation", three, "base")]
    return [
        row("language models", "speed:language_models", three, published),
        first,
        row("translation, small", "speed:translation", three, "small"),
        row("generation", "speed:generation", "tf32" if wanted.quick else "tf32,fp16"),
        *documents,
        kernels,
        *base,
    ]


def readings(wanted: Wanted) -> list[Trial]:
    """A million tokens."""
    size = "tiny" if wanted.quick else "whole"
    return [
        found_by(f"reading: {name}", "long_reading:read", size, name, limit=240)
        for name in READERS[: 1 if wanted.quick else None]
    ]


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
