"""One check: what it runs, what it finds, and what is left of it."""

import json
import re
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile

from . import warm_commands

TAIL = 40  # lines of a failed command that are kept
SLOWER = 5  # how many times the time of a GPU a check may take on a CPU, which others use too
_ARCHIVING = threading.Lock()


class Where(NamedTuple):
    """What all checks have in common."""

    output: Path  # folder of the results
    work: Path  # folder for data and checkpoints
    device: str  # "cuda" or "cpu"
    updates: int  # of a training run; even, since runs are stopped half-way
    environment: dict[str, str]  # of commands

    @property
    def data(self) -> Path:
        """Made by `data`."""
        return self.work / "data"


class Stopped(Exception):
    """The check cannot go on."""


@dataclass
class Trial:
    """Something to try, and what came of it."""

    name: str  # as it stands in the table
    make: Callable[["Trial"], None]
    limit: float = 60.0  # seconds that it may take on a GPU
    state: str = "not reached"  # or "passed", or "failed"
    seconds: float = 0.0  # that it took; 0 as long as it is not over
    problems: list[str] = field(default_factory=list)  # what is wrong, a line each
    figures: dict[str, Any] = field(default_factory=dict)  # what was measured
    tail: list[str] = field(default_factory=list)  # of the output of a command that failed
    logs: list[str] = field(default_factory=list)  # where commands' output is in logs.zip
    said = ""  # by the last command

    def begin(self, where: Where, end: float) -> None:
        """Make it, unless it is ``end`` already (by `time.monotonic`); nothing is raised."""
        begun = time.monotonic()
        if begun >= end:
            self.problems.append("there was no time left")
            return
        self.where = where
        self.deadline = min(begun + self.limit * (1 if where.device == "cuda" else SLOWER), end)
        self.folder = where.work / _file_name(self.name)  # for its checkpoints
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.make(self)
            self.state = "failed" if self.problems else "passed"
        except Stopped as stopped:
            # Who was stopped by the end of all has not failed.
            self.state = "not reached" if time.monotonic() >= end - 0.5 else "failed"
            self.problems.append(str(stopped))
        except Exception as error:  # a fault of the check itself
            self.state = "failed"
            self.problems.append(f"the check itself failed: {type(error).__name__}: {error}")
        self.seconds = round(time.monotonic() - begun, 1) or 0.1

    def result(self) -> dict[str, Any]:
        """For the JSON file; of one that is not over, the state alone."""
        names = ("state", "seconds", "problems", "figures", "tail", "logs")
        return {name: getattr(self, name) for name in names[: None if self.seconds else 1]}

    def __str__(self) -> str:
        if not self.seconds:
            return f"{self.state:21}{self.name}"
        said = "; ".join(self.problems) or _briefly(self.figures)
        line = f"{self.state:11} {self.seconds:5.1f} s  {self.name}{'  ' + said if said else ''}"
        return "\n".join([line, *("    " + row for row in self.figures.get("table", []))])

    def expect(self, right: bool, problem: str) -> None:
        """Note a problem, and go on."""
        if not right:
            self.problems.append(problem)

    def run(self, command: str, *arguments: object, **options: Any) -> str:
        """What a command prints, or the first of several workers; see `warm_commands.run`.

        Raises:
            Stopped: if it fails, or the time of this check is over.
        """
        name = command.rpartition(":")[2]
        log = f"{_file_name(self.name)}/{len(self.logs) + 1}-{name}.log"
        words = list(map(str, arguments))
        left = max(self.deadline - time.monotonic(), 0.1)
        options.update(cwd=self.folder, timeout=left, env=self.where.environment)
        try:
            done = warm_commands.run(command, words, **options)
        except subprocess.TimeoutExpired as late:
            self._keep(log, [command, *words], f"{late.output}{late.stderr}")
            raise Stopped(f"{name} was not done in time") from late
        for worker in done:
            self._keep(log, [command, *words], worker.stdout + worker.stderr)
            if worker.returncode:
                said = [line for line in worker.stderr.splitlines() if line.strip()]
                last = said[-1] if said else f"nothing was said, exit code {worker.returncode}"
                raise Stopped(f"{name}: {last}")
        self.tail = []
        return done[0].stdout + done[0].stderr

    def measure(self, function: str, *arguments: object) -> dict[str, Any]:
        """What a function of this package finds in a process of its own, and notes as problems.

        Of one that was stopped, what it had found by then becomes the figures.
        """
        try:
            self.run(f"gpu_check.{function}", *arguments)
        except Stopped:
            self.figures = self._found()
            raise
        found = self._found()
        self.problems += found.pop("problems", [])
        return found

    def _found(self) -> dict[str, Any]:
        """The last JSON that was said."""
        for line in reversed(self.said.splitlines()):
            with suppress(json.JSONDecodeError):
                if line.startswith("{"):
                    return json.loads(line)
        return {}

    def _keep(self, name: str, command: list[str], output: str) -> None:
        """Add to the archive of logs: one file, however many commands there are."""
        self.logs.append(name)
        self.said = output
        self.tail = output.splitlines()[-TAIL:]
        with _ARCHIVING, ZipFile(self.where.output / "logs.zip", "a", ZIP_DEFLATED) as archive:
            archive.writestr(name, f"$ {' '.join(command)}\n{output}")


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)


def _briefly(figures: dict[str, Any]) -> str:
    """Figures without their inner structure."""
    parts = []
    for name, value in figures.items():
        if name == "table" or ("table" in figures and isinstance(value, dict)):
            continue
        if isinstance(value, dict):
            value = value.get("tokens_per_second", value.get("losses_apart", value.get("apart")))
        if value is not None:
            parts.append(f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}")
    return ", ".join(parts)
