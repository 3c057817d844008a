"""One check: what it runs, what it finds, and what is left of it."""

import json
import re
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable
from zipfile import ZIP_DEFLATED, ZipFile

from . import warm_commands

TAIL = 40  # lines of a failed command that are kept


@dataclass(frozen=True)
class Where:
    """What all checks have in common.

    Attributes:
        output: folder of the results.
        work: folder for data and checkpoints.
        device: "cuda" or "cpu".
        updates: of a training run; even, since runs are stopped half-way.
        environment: of commands.
    """

    output: Path
    work: Path
    device: str
    updates: int
    environment: dict[str, str]

    @property
    def data(self) -> Path:
        """Made by `data`."""
        return self.work / "data"


@dataclass(frozen=True)
class Check:
    """Something to try.

    Attributes:
        name: as it stands in the table.
        make: makes it.
        seconds: that it may take.
    """

    name: str
    make: Callable[["Trial"], None]
    seconds: float = 60.0


class Stopped(Exception):
    """The check cannot go on."""


@dataclass
class Trial:
    """A check that is being made.

    Attributes:
        name: as it stands in the table.
        where: see there.
        deadline: by `time.monotonic`.
        figures: what was measured.
        problems: what is wrong, a line each.
        tail: the end of the output of a command that failed.
        logs: where the output of its commands is in ``logs.zip``.
    """

    name: str
    where: Where
    deadline: float
    figures: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """For its checkpoints."""
        folder = self.where.work / _file_name(self.name)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def expect(self, right: bool, problem: str) -> None:
        """Note a problem, and go on."""
        if not right:
            self.problems.append(problem)

    def run(
        self,
        command: str,
        *arguments: object,
        input: str = "",
        prepare: Callable[[], object] | None = None,
        workers: int = 0,
    ) -> str:
        """What a command prints, or the first of so many workers.

        Raises:
            Stopped: if it fails, or the time of this check is over.
        """
        name = command.rpartition(":")[2]
        log = f"{_file_name(self.name)}/{len(self.logs) + 1}-{name}.log"
        words = [str(argument) for argument in arguments]
        left = max(self.deadline - time.monotonic(), 0.1)
        options = {"input": input, "prepare": prepare, "workers": workers}
        try:
            done = warm_commands.run(
                command, words, self.folder, left, self.where.environment, **options
            )
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

    def measure(self, function: str, *arguments: object, **options: Any) -> dict[str, Any]:
        """What a ``module:function`` prints as JSON, in a process of its own."""
        lines = self.run(function, *arguments, **options).splitlines()
        return json.loads(next(line for line in reversed(lines) if line.startswith("{")))

    def take(self, found: dict[str, Any]) -> None:
        """The figures and problems that a function of `in_process` printed."""
        self.figures, self.problems = found["figures"], found["problems"]

    def _keep(self, name: str, command: list[str], output: str) -> None:
        """Add to the archive of logs: one file, however many commands there are."""
        self.logs.append(name)
        self.tail = output.splitlines()[-TAIL:]
        with _ARCHIVING, ZipFile(self.where.output / "logs.zip", "a", ZIP_DEFLATED) as archive:
            archive.writestr(name, f"$ {' '.join(command)}\n{output}")


_ARCHIVING = threading.Lock()


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)
