"""Make the checks that there is time for, and write the results down after each."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from fairseq_memtx.written_aside import written_aside

from .check import fail
from .plan import Stage
from .trial import Trial, Where

FINISHING = 3  # seconds that are kept for the end


class Run:
    """All stages of a plan, in so many seconds for all of them.

    They count from ``started``, by `time.monotonic`.
    """

    def __init__(self, plan: list[Stage], where: Where, started: float, seconds: float) -> None:
        self.plan, self.where, self.started = plan, where, started
        self.seconds = seconds - FINISHING
        self.writing = threading.Lock()

    def all(self) -> bool:
        """Make them all; whether all passed."""
        for trial in self.plan[0].trials:
            self.make(trial, self.started + self.seconds)
            if trial.state != "passed":
                fail(f"{trial.name}: {'; '.join(trial.problems)}")
        for stage in self.plan[1:]:
            end = self.started + self.seconds * stage.until
            with ThreadPoolExecutor(stage.jobs) as pool:
                list(pool.map(partial(self.make, end=end), stage.trials))
        self.write()
        print(self.summary())
        return self.summary().endswith(" passed, 0 failed, 0 not reached")

    def make(self, trial: Trial, end: float) -> None:
        """Make one, and write down the result."""
        trial.begin(self.where, end)
        self.write()
        if trial.seconds:
            print(trial, flush=True)

    def write(self) -> None:
        """Write JSON and table, each in one go."""
        trials = [trial for stage in self.plan for trial in stage.trials]
        machine = self.plan[0].trials[0].figures if self.plan[0].trials else {}
        with self.writing:
            content = {
                "device": self.where.device,
                "seconds": round(time.monotonic() - self.started, 1),
                "jobs": self.plan[-1].jobs,
                "machine": machine,
                "summary": self.summary(),
                "checks": {trial.name: trial.result() for trial in trials},
            }
            table = [json.dumps(machine), *map(str, trials), self.summary()]
            paths = [self.where.output / name for name in ("gpu_check.json", "gpu_check.txt")]
            with written_aside(*paths) as partials:
                partials[0].write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
                partials[1].write_text("\n".join(table) + "\n", encoding="utf-8")

    def summary(self) -> str:
        """How many passed, failed and were not reached."""
        states = [trial.state for stage in self.plan for trial in stage.trials]
        counts = {state: states.count(state) for state in ("passed", "failed", "not reached")}
        return ", ".join(f"{count} {state}" for state, count in counts.items())
