"""Do runs: two at a time, each once and for all, with one bar over all of them.

A run has a folder with ``run.sh``, which repeats it by hand, ``STEP.log`` of each step, and
``finished.json`` in the end, or ``failed.txt``. A step that is finished is not done twice; one that
was stopped is begun again, and a training goes on from its checkpoint.
"""

import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.written_aside import written_aside

from .runs import Run

ROOT = Path(__file__).resolve().parents[2]
STEP = """
if [ ! -e {done} ]; then
    ( {command} ) >> {log} 2>&1
    touch {done}
fi
"""
FINISHED = "finished.json"
POLLING = 0.2  # seconds between looks at what is running
ENDING = 5  # seconds that a run has to end by itself


class Work:
    """Runs in a folder, one below the other."""

    def __init__(
        self,
        folder: Path,
        corpora: Path | None,
        about: Mapping[str, Any],
        known: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        """Runs are done in ``folder``; ``about``, the machine and so on, goes into results.

        ``known`` is what runs measured elsewhere, by their names: these are finished, too.
        """
        self.folder, self.corpora, self.about = folder.resolve(), corpora, about
        self.known = known or {}
        self.running: dict[str, tuple[Run, subprocess.Popen, float]] = {}

    def finished(self, run: Run) -> dict[str, Any] | None:
        """What a run measured, and when and where; None before it is finished.

        One that lacks a measure, which its experiment got later, is not; its steps are.
        """
        return _whole(run, self.finished_by_name(run.name))

    def finished_by_name(self, name: str) -> dict[str, Any] | None:
        """The same, by the name of its folder."""
        return self._measured(name) or self.known.get(name)

    def _measured(self, name: str) -> dict[str, Any] | None:
        """What a run measured here."""
        path = self.folder / name / FINISHED
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def _here(self, run: Run) -> bool:
        """Whether a run was finished here, with its files for others that need them."""
        return _whole(run, self._measured(run.name)) is not None

    def failed(self, run: Run) -> str | None:
        """Why a run failed, or one that it needs."""
        path = self.folder / run.name / "failed.txt"
        return path.read_text(encoding="utf-8").strip() if path.exists() else None

    def missing(self, run: Run) -> str | None:
        """Which corpus is not there that a run needs, itself or by what it needs."""
        if run.corpus and not (self.corpora and (self.corpora / run.corpus).exists()):
            return run.corpus
        return next(filter(None, map(self.missing, run.needs.values())), None)

    def unfinished(self, runs: Iterable[Run]) -> list[Run]:
        """What is to be done for these runs, each once, what is needed before who needs it."""
        found: dict[str, Run] = {}
        for run in runs:
            if self.finished(run) is None:
                found |= self._to_do(run)
        return list(found.values())

    def _to_do(self, run: Run) -> dict[str, Run]:
        """A run, behind what it needs; numbers from elsewhere are no files to go on with."""
        if self._here(run) or self.missing(run) is not None:
            return {}
        found: dict[str, Run] = {}
        for needed in run.needs.values():
            found |= self._to_do(needed)
        return found | {run.name: run}

    def do(self, runs: Iterable[Run], jobs: int, seconds: float) -> bool:
        """Do all runs; False if the time was over before.

        Whatever ends this, ends what it has started.

        Raises:
            MemtxError: if another process does runs in the same folder.
        """
        runs = list(runs)
        if not self.unfinished(runs):
            return True
        with self._alone() as self._lock:
            return self._do(self.unfinished(runs), jobs, seconds)

    @contextmanager
    def _alone(self) -> Iterator[int]:
        """While nobody else does runs here: two would write into the same folders.

        Gives the lock, for runs to hold as well: they outlive a process that is killed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise MemtxError(
                    f"another reproduce.sh is at work in {self.folder}, or runs of one that was "
                    "killed: wait for them, or give another folder with --output"
                ) from None
            yield lock.fileno()

    def _do(self, waiting: list[Run], jobs: int, seconds: float) -> bool:
        for run in waiting:
            (self.folder / run.name / "failed.txt").unlink(missing_ok=True)
        deadline = time.monotonic() + seconds
        total = sum(run.seconds for run in waiting)
        layout = "{desc} {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left{postfix}"
        often = 0.5 if sys.stderr.isatty() else 60  # seconds; a log need not have every step
        with tqdm(
            total=total, desc="runs", bar_format=layout, smoothing=0, mininterval=often
        ) as bar:
            count, behind = len(waiting), 0.0
            try:
                while waiting or self.running:
                    if time.monotonic() > deadline:
                        return False
                    behind += self._collect()
                    self._start(waiting, jobs)
                    left = len(waiting) + len(self.running)
                    bar.set_postfix_str(f"{count - left} of {count} done", refresh=False)
                    now = behind + sum(map(self._share, self.running.values()))
                    bar.update(max(0, now - bar.n))
                    time.sleep(POLLING)
                bar.update(total - bar.n)
            finally:
                self._end()
        return True

    def _share(self, running: tuple[Run, subprocess.Popen, float]) -> float:
        """How much of a run's seconds is behind, as far as is known."""
        run, _, began = running
        return min(time.monotonic() - began, 0.95 * run.seconds)

    def _start(self, waiting: list[Run], jobs: int) -> None:
        """Start those that need nothing unfinished; one that needs what failed fails."""
        for run in list(waiting):
            failed = next((n for n in run.needs.values() if self.failed(n)), None)
            if failed:
                waiting.remove(run)
                self._fail(run, f"{failed.name}, which it needs, failed: {self.failed(failed)}")
            elif len(self.running) < jobs and all(map(self._here, run.needs.values())):
                waiting.remove(run)
                script = self._script(run)
                process = subprocess.Popen(
                    ["bash", str(script)], cwd=ROOT, start_new_session=True,
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, pass_fds=[self._lock],
                    env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
                )  # fmt: skip
                self.running[run.name] = run, process, time.monotonic()

    def _script(self, run: Run) -> Path:
        """Write ``run.sh``."""
        folder = self.folder / run.name
        steps = [
            STEP.format(command=command, **{
                what: shlex.quote(str(folder / f"{step}.{what}")) for what in ("done", "log")
            })
            for step, command in run.commands(self.folder, self.corpora).items()
        ]  # fmt: skip
        path = folder / "run.sh"
        head = (
            f"# What was done here; in the folder of the project: "
            f"bash {shlex.quote(str(path))}\nset -euo pipefail\n"
        )
        with written_aside(path) as (partial,):
            partial.write_text(head + "".join(steps), encoding="utf-8")
        return path

    def _collect(self) -> float:
        """Look after those that ended; the seconds that were foreseen for them."""
        behind = 0.0
        for name, (run, process, began) in list(self.running.items()):
            if process.poll() is None:
                continue
            del self.running[name]
            behind += run.seconds
            if process.returncode:
                self._fail(run, f"exit code {process.returncode}: {self._last_line(run)}")
                continue
            try:
                measures = run.read(self.folder / name)
            except (MemtxError, OSError) as cause:
                self._fail(run, str(cause))
                continue
            result = {
                "measures": measures,
                "seconds": round(time.monotonic() - began, 1),
                "finished": time.strftime("%Y-%m-%d %H:%M:%S"),
                **self.about,
            }
            with written_aside(self.folder / name / FINISHED) as (partial,):
                partial.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        return behind

    def _fail(self, run: Run, why: str) -> None:
        with written_aside(self.folder / run.name / "failed.txt") as (partial,):
            partial.write_text(f"{why}\n", encoding="utf-8")
        tqdm.write(f"failed: {run.name}: {why} (logs in {self.folder / run.name})")

    def _last_line(self, run: Run) -> str:
        """What the last step said last."""
        logs = sorted((self.folder / run.name).glob("*.log"), key=lambda path: path.stat().st_mtime)
        lines = logs[-1].read_text(encoding="utf-8", errors="replace").split("\n") if logs else []
        return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "no output")

    def _end(self) -> None:
        """End what is running, and all that it has started."""
        for sent in (signal.SIGTERM, signal.SIGKILL):
            for _, process, _ in self.running.values():
                if process.poll() is None:
                    os.killpg(process.pid, sent)
            until = time.monotonic() + ENDING
            while time.monotonic() < until and any(
                process.poll() is None for _, process, _ in self.running.values()
            ):
                time.sleep(0.05)
        self.running.clear()


def _whole(run: Run, record: dict[str, Any] | None) -> dict[str, Any] | None:
    """What was recorded of a run, if it has all measures."""
    return record if record and run.measures.keys() <= record["measures"].keys() else None
