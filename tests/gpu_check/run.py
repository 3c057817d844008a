"""Make the checks that there is time for, and write the results down after each."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from .check import fail
from .plan import Plan
from .trial import Check, Stopped, Trial, Where

FINISHING = 3  # seconds that are kept for the end
SLOWER = 5  # how many times the time of a GPU a check may take on a CPU, which others use too


class Run:
    """All checks, those that are over with their results.

    Args:
        where: what they have in common.
        started: by `time.monotonic`.
        seconds: for all of them together.
        jobs: how many at a time.
    """

    def __init__(self, where: Where, started: float, seconds: float, jobs: int) -> None:
        self.where, self.started, self.jobs = where, started, jobs
        self.end = started + seconds - FINISHING
        self.results: dict[str, dict[str, Any]] = {}
        self.machine: dict[str, Any] = {}
        self.writing = threading.Lock()

    def all(self, plan: Plan) -> bool:
        """Make those of a plan; whether all passed."""
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

    def make(self, check: Check, end: float) -> dict[str, Any]:
        """Make one, unless its time is over, and write down the result."""
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
