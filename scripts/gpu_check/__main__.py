"""Try everything on a GPU, most important first, and write down what was found.

Launch: ``bash scripts/gpu_check.sh``, which says more. This file keeps the time and the results;
what is tried is in ``gpu_check_cases.py``, how in ``gpu_check_models.py`` (inside one process),
``gpu_check_commands.py`` (by fairseq's commands) and ``gpu_check_speed.py``.

Neither this process nor the one from which all others are forked may touch the GPU: CUDA cannot be
used in a process that was forked after that. So the GPUs are hidden from both.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FINISHING = 3  # seconds that are kept for the end
SLOWER = 5  # how many times the time of a GPU a check may take on a CPU, which others use too


def main() -> None:
    """Make all checks that there is time for; exit with 0 if all passed."""
    started = time.monotonic()
    arguments = parse()
    output = arguments.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ.update(CUDA_VISIBLE_DEVICES="", PYTORCH_NVML_BASED_CUDA_CHECK="1")
    with tempfile.TemporaryDirectory(prefix="gpu_check") as folder:
        sys.path.insert(1, str(ROOT))  # behind the folder of this file, like the packages
        install(Path(folder) / "site")
        os.environ["PYTHONPATH"] = os.pathsep.join(path_of_commands(folder))
        from gpu_check_plan import plan
        from gpu_check_trial import Where, plain_environment

        where = Where(
            output=output,
            work=Path(folder),
            device="cpu" if arguments.cpu else "cuda",
            updates=6 if arguments.quick else 50,
            environment=plain_environment(visible),
        )
        run = Run(where, started, arguments.minutes * 60, arguments.jobs)
        checks = plan(where.device, arguments.quick, arguments.only)
        sys.exit(0 if run.all(checks) else 1)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="gpu_check.sh", description=__doc__.split("\n", 1)[0], allow_abbrev=False
    )
    parser.add_argument("--output", type=Path, default=Path("gpu_check"), metavar="DIR",
                        help="folder of the results (default: gpu_check)")  # fmt: skip
    parser.add_argument("--minutes", type=float, default=5, help="time for all (default: 5)")
    parser.add_argument("--jobs", type=int, metavar="N",
                        help="commands at a time (default: three for four cores)")  # fmt: skip
    parser.add_argument("--only", default="", metavar="TEXT",
                        help="checks with this in their name alone")  # fmt: skip
    parser.add_argument("--cpu", action="store_true", help="the same without a GPU")
    parser.add_argument("--quick", action="store_true", help="a few checks, with few updates")
    arguments = parser.parse_args()
    if arguments.minutes <= 0 or (arguments.jobs is not None and arguments.jobs < 1):
        parser.error("--minutes and --jobs must be more than nothing")
    arguments.jobs = arguments.jobs or max(1, min(12, (os.cpu_count() or 1) * 3 // 4))
    return arguments


def install(site: Path) -> None:
    """Install the wheels of the checkout where fairseq is missing."""
    if importlib.util.find_spec("torch") is None:
        fail(f"{sys.executable} has no PyTorch: install it, or name another in PYTHON")
    if importlib.util.find_spec("fairseq") is not None:
        return
    wheels = sorted(map(str, (ROOT / ".whl").glob("*.whl")))
    if not wheels:
        fail("fairseq is not installed, and there are no wheels in .whl of the checkout")
    offline = ["--no-index", "--no-deps", "--no-compile", "--no-cache-dir", "--upgrade"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", *offline, "--target", str(site)]
    done = subprocess.run([*pip, *wheels], capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it did not say why"]
        fail(f"pip could not install the wheels: {said[-1]}")
    sys.path.insert(1, str(site))


def path_of_commands(folder: str) -> list[str]:
    """What commands find packages in, besides their Python's own."""
    site = Path(folder) / "site"
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [str(ROOT), *([str(site)] if site.exists() else []), *filter(None, given)]


def fail(message: str) -> None:
    """End in one line."""
    print(f"gpu_check: error: {message}", file=sys.stderr)
    sys.exit(2)


class Run:
    """All checks, those that are over with their results.

    Args:
        where: what they have in common.
        started: by `time.monotonic`.
        seconds: for all of them together.
        jobs: how many at a time.
    """

    def __init__(self, where: Any, started: float, seconds: float, jobs: int) -> None:
        self.where, self.started, self.jobs = where, started, jobs
        self.end = started + seconds - FINISHING
        self.results: dict[str, dict[str, Any]] = {}
        self.machine: dict[str, Any] = {}
        self.writing = threading.Lock()

    def all(self, plan: Any) -> bool:
        """Make those of a `gpu_check_plan.Plan`; whether all passed."""
        for check in (*plan.together, *plan.alone):
            self.results[check.name] = {"state": "not reached"}
        for check in plan.first:
            result = self.make(check, self.end)
            if result["state"] != "passed":
                fail(f"{check.name}: {'; '.join(result['problems'])}")
        self.machine = self.results[plan.first[0].name]["figures"] if plan.first else {}
        # What needs the machine for itself comes last, and has its time kept.
        kept = min(sum(check.seconds for check in plan.alone), (self.end - time.monotonic()) / 4)
        with ThreadPoolExecutor(self.jobs) as pool:
            running = [pool.submit(self.make, check, self.end - kept) for check in plan.together]
            for done in as_completed(running):
                done.result()
        for check in plan.alone:
            self.make(check, self.end)
        self.write()
        print(self.summary())
        return all(result["state"] == "passed" for result in self.results.values())

    def make(self, check: Any, end: float) -> dict[str, Any]:
        """Make one, unless its time is over, and write down the result."""
        from gpu_check_trial import Stopped, Trial

        begun = time.monotonic()
        if begun >= end:
            return {"state": "not reached", "problems": ["there was no time left"]}
        limit = check.seconds * (1 if self.where.device == "cuda" else SLOWER)
        trial = Trial(check.name, self.where, min(begun + limit, end))
        try:
            check.make(trial)
            state = "failed" if trial.problems else "passed"
        except Stopped as stopped:
            # Who was stopped by the end of all has not failed.
            late = time.monotonic() >= end - 0.5
            state = "not reached" if late else "failed"
            trial.problems.append(str(stopped))
        except Exception as error:  # a fault of the check itself
            state = "failed"
            trial.problems.append(f"the check itself failed: {type(error).__name__}: {error}")
        result = {
            "state": state,
            "seconds": round(time.monotonic() - begun, 1),
            "problems": trial.problems,
            "figures": trial.figures,
            "tail": trial.tail,
            "logs": trial.logs,
        }
        with self.writing:
            self.results[check.name] = result
            print(line_of(check.name, result), flush=True)
        self.write()
        return result

    def write(self) -> None:
        """Write JSON and table, each in one go."""
        with self.writing:
            content = {
                "device": self.where.device,
                "seconds": round(time.monotonic() - self.started, 1),
                "jobs": self.jobs,
                "machine": self.machine,
                "summary": self.summary(),
                "checks": self.results,
            }
            table = [line_of(name, result) for name, result in self.results.items()]
            for name, text in (
                ("gpu_check.json", json.dumps(content, indent=1)),
                ("gpu_check.txt", "\n".join([json.dumps(self.machine), *table, self.summary()])),
            ):
                new = self.where.output / f".{name}"
                new.write_text(text + "\n", encoding="utf-8")
                new.replace(self.where.output / name)

    def summary(self) -> str:
        """How many passed, failed and were not reached."""
        states = [result["state"] for result in self.results.values()]
        counts = {state: states.count(state) for state in ("passed", "failed", "not reached")}
        return ", ".join(f"{count} {state}" for state, count in counts.items())


def line_of(name: str, result: dict[str, Any]) -> str:
    """A result in one line."""
    said = "; ".join(result.get("problems", [])) or briefly(result.get("figures", {}))
    seconds = f"{result['seconds']:5.1f} s" if "seconds" in result else " " * 7
    return f"{result['state']:11} {seconds}  {name}{'  ' + said if said else ''}"


def briefly(figures: dict[str, Any]) -> str:
    """Figures without their inner structure."""
    parts = []
    for name, value in figures.items():
        if isinstance(value, dict):
            value = value.get("tokens_per_second", value.get("losses_apart", value.get("apart")))
        if isinstance(value, float):
            value = f"{value:.3g}"
        if value is not None:
            parts.append(f"{name} {value}")
    return ", ".join(parts)


if __name__ == "__main__":
    main()
