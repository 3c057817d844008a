"""What a training step costs as work grows: time and memory, a fitted curve, the paper's formula.

Grown one at a time: segments of a window, memory tokens, length, streams, and processes that train
together. Each point is measured in a process of its own, the points of a sweep in turns. A curve
has a constant and the terms of the formula, fitted by least squares of relative errors; the largest
of these is printed with it, so a formula that does not hold shows.

Two processes train through ``torchrun`` and ``fairseq-train``, each on a thread, with the same
batch a process as one alone.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fairseq_memtx.errors import MemtxError

from .cost_sweeps import sweeps
from .own_processes import in_own_process, times_of

MEASURES = {"milliseconds": "ms", "mebibytes": "MiB"}
WORKERS = "workers"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of this benchmark alone."""
    names = [*sweeps(tiny=False), WORKERS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="these sweeps")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the curves here")
    parser.add_argument("--tiny", action="store_true", help="sizes of a test, which say nothing")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """By sweep, the points and the curves."""
    found: dict[str, Any] = {}
    chosen = {name: of for name, of in sweeps(arguments.tiny).items() if name in arguments.only}
    for name, sweep in tqdm(chosen.items(), desc="sweeps", unit="sweep"):
        works = {value: sweep.work(value) for value in sweep.values}
        times = times_of(works, arguments.rounds)
        points = [
            {
                "value": value,
                "milliseconds": statistics.median(times[value]),
                "middle_half": middle_half(times[value]),
                "mebibytes": in_own_process(work.peak),
            }
            for value, work in works.items()
        ]
        terms = [sweep.terms(value) for value in sweep.values]
        found[name] = {
            "grows": sweep.grows,
            "letter": sweep.letter,
            "formula": sweep.formula,
            "points": points,
            **{f"{what}_curve": fit(terms, [point[what] for point in points]) for what in MEASURES},
        }
        tqdm.write(
            told(found[name]), file=sys.stderr
        )  # so that a run that is stopped was not in vain
    if WORKERS in arguments.only:
        found[WORKERS] = workers(arguments.rounds, arguments.tiny)
    result = {"sweeps": found}
    if arguments.picture:
        draw(result, arguments.picture)
    return result


def middle_half(values: list[float]) -> list[float]:
    """Between which two values the middle half lies."""
    ordered, quarter = sorted(values), len(values) // 4
    return [ordered[quarter], ordered[-1 - quarter]]


def fit(terms: list[list[float]], measured: list[float]) -> dict[str, Any]:
    """Constant and coefficients of the terms, and the largest relative error.

    Args:
        terms: of every point.
        measured: at every point.
    """
    basis, goal = np.array([[1.0, *point] for point in terms]), np.maximum(measured, 1e-3)
    coefficients = np.linalg.lstsq(basis / goal[:, None], np.ones(len(goal)), rcond=None)[0]
    errors = basis @ coefficients / goal - 1
    return {"coefficients": coefficients.tolist(), "largest_error": float(abs(errors).max())}


def workers(rounds: int, tiny: bool) -> dict[str, Any]:
    """One and two processes, in turns, of the language model of the other sweeps."""
    alternating: dict[int, list[dict[str, float]]] = {1: [], 2: []}
    for _ in tqdm(range(1 if tiny else min(rounds, 3)), desc=WORKERS, unit="round"):
        for count, runs in alternating.items():
            runs.append(in_own_process(Together(count, tiny)))
    points = [
        {
            "value": count,
            **{what: statistics.median(run[what] for run in runs) for what in MEASURES},
        }
        for count, runs in alternating.items()
    ]
    return {
        "grows": "processes, `rmt_lm`, a batch each",
        "letter": "W",
        "formula": "the time of one, and what gradients take to be summed",
        "points": points,
    }


class Together:
    """A training by some processes; called in a process of its own, whose children they are."""

    def __init__(self, count: int, tiny: bool) -> None:
        self.count, self.tiny = count, tiny

    def __call__(self) -> dict[str, float]:
        """Milliseconds of an update in the steady state, MiB of the larger process."""
        shape = "--decoder-layers 4 --decoder-embed-dim 256 --decoder-ffn-embed-dim 1024"
        if self.tiny:
            shape = "--decoder-layers 1 --decoder-embed-dim 16 --decoder-ffn-embed-dim 16"
        updates = 4 if self.tiny else 24
        flags = (
            "--task facts_in_noise --arch rmt_lm --facts 1 --segments 1 --tokens-per-sample 128 "
            f"--decoder-attention-heads 4 --memory-tokens 10 {shape} --batch-size 8 --cpu "
            f"--train-size {8 * 64} --num-workers 0 --criterion cross_entropy --optimizer adam "
            "--lr 1e-4 --clip-norm 1 --no-save --disable-validation --log-format json "
            f"--log-interval 1 --max-update {updates}"
        ).split()
        root = Path(__file__).parents[2]
        train = str(Path(sys.executable).with_name("fairseq-train"))
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node"]
        started = [sys.executable, *launcher, str(self.count), train]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run(
                [*started, "--user-dir", str(root / "fairseq_memtx"), *flags],
                cwd=folder, env=environment, text=True, capture_output=True, check=False,
            )  # fmt: skip
        lines = [
            json.loads(line) for line in re.findall(r"\{\"epoch\".*\}", run.stdout + run.stderr)
        ]
        speeds = [float(line["ups"]) for line in lines if line.get("ups")]
        if run.returncode or not speeds:
            raise MemtxError(f"training in {self.count} processes failed: {run.stderr[-2000:]}")
        highest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        return {"milliseconds": 1000 / statistics.median(speeds[len(speeds) // 2 :]),
                "mebibytes": highest}  # fmt: skip


def table(result: dict[str, Any]) -> str:
    """The result for people, a section a sweep."""
    return "\n\n".join(told(sweep) for sweep in result["sweeps"].values())


def told(sweep: dict[str, Any]) -> str:
    """Points and curves of one."""
    letter = sweep["letter"]
    lines = [f"{letter}, {sweep['grows']}: {sweep['formula']}"]
    lines += [
        f"  {letter} = {point['value']:<6}{point['milliseconds']:10.1f} ms"
        f"{point['mebibytes']:10.1f} MiB"
        for point in sweep["points"]
    ]
    for what, unit in MEASURES.items():
        if curve := sweep.get(f"{what}_curve"):
            terms = " ".join(f"{number:+.3g}" for number in curve["coefficients"])
            lines.append(f"  {unit}: {terms}; at most {curve['largest_error']:.1%} off")
    return "\n".join(lines)


def draw(result: dict[str, Any], path: Path) -> None:
    """Points and curves, a picture a sweep: time above, memory below."""
    try:
        from fairseq_memtx.pictures.figure import Figure, save
    except ImportError as cause:
        raise MemtxError("--picture needs matplotlib: pip install matplotlib") from cause
    known = sweeps(tiny=False)
    shown = {name: of for name, of in result["sweeps"].items() if name in known}
    figure = Figure(figsize=(3.2 * len(shown), 5.5), layout="constrained")
    axes = figure.subplots(2, len(shown), squeeze=False)
    for column, (name, sweep) in enumerate(shown.items()):
        values = [point["value"] for point in sweep["points"]]
        fine = np.linspace(values[0], values[-1], 50)
        for row, (what, unit) in enumerate(MEASURES.items()):
            axis = axes[row][column]
            axis.plot(values, [point[what] for point in sweep["points"]], "o")
            basis = np.array([[1.0, *known[name].terms(value)] for value in fine])
            axis.plot(fine, basis @ sweep[f"{what}_curve"]["coefficients"], "-", alpha=0.7)
            axis.set(xlabel=sweep["letter"], ylabel=unit, ylim=(0, None))
            axis.grid(alpha=0.3)
        axes[0][column].set_title(sweep["grows"].replace("`", ""), fontsize=8)
    save(figure, path, 110)
