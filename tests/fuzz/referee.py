"""How a case may end: in a result, or in one clear line. Anything else is a fault.

    python -m pytest tests/fuzz                      a share of a minute, as in the suite
    python -m pytest tests/fuzz --cases 100000       by hand

A case has a time and a memory of its own. Faults are gathered, so that one run tells all of them;
what led to each is kept beside the report.
"""

import gc
import resource
import shutil
import signal
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, Callable

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from fairseq_memtx import errors

SECONDS = 60  # that a case may take, though it takes milliseconds: the machine may be busy
BYTES = 2 << 30  # of memory that a case may add

Case = Callable[[Path, Any], object]


class Line(Exception):
    """The one line that a command ended in."""


class _Hang(BaseException):
    """A case took too long."""


def judge(
    kind: str, cases: int, strategy: SearchStrategy, case: Case, folder: Path, tally: Counter[str]
) -> None:
    """Try many inputs, and fail with all faults that were found.

    Args:
        kind: by which they are told.
        cases: how many.
        strategy: of inputs.
        case: gets an empty folder and an input; raises `Line` or what `errors.explain` knows.
        folder: for the inputs.
        tally: of results, lines and faults, filled here.
    """
    faults: Counter[str] = Counter()

    @settings(
        max_examples=cases, derandomize=True, deadline=None, database=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def tried(given_input: Any) -> None:
        place = folder / "case"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        fault = _fault_of(case, place, given_input, tally)
        if fault:
            tally["fault"] += 1
            faults[fault] += 1
            if faults[fault] == 1:
                shutil.copytree(place, folder / f"fault{len(faults)}", dirs_exist_ok=True)

    tried()
    gc.collect()
    told = "\n".join(f"{count} times: {fault}" for fault, count in faults.most_common())
    assert not faults, f"{kind}, inputs in {folder}:\n{told}"


def _fault_of(case: Case, place: Path, given_input: Any, tally: Counter[str]) -> str | None:
    try:
        with _Limits():
            case(place, given_input)
    except Line as line:
        message = str(line)
    except _Hang as hang:
        return f"hangs in {_where(hang)}"
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        # What a case itself finds wrong is no line, though it may be found while one is handled.
        own = Path(last.filename).parent == Path(__file__).parent
        message = None if own else errors.explain(error)
        if message is None:
            return f"{type(error).__name__}: {str(error)[:160]!r} in {_where(error)}"
    else:
        tally["result"] += 1
        return None
    if "\n" in message or not 10 < len(message) < 1500:
        return f"no clear line: {message[:200]!r}"
    tally["line"] += 1
    return None


def _where(error: BaseException) -> str:
    return " < ".join(
        f"{Path(frame.filename).name}:{frame.lineno}"
        for frame in reversed(traceback.extract_tb(error.__traceback__)[-4:])
    )


class _Limits:
    """No case takes more than its time and its memory."""

    def __enter__(self) -> None:
        self.memory = resource.getrlimit(resource.RLIMIT_AS)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, self.memory[1]))
        self.handler = signal.signal(signal.SIGALRM, self._stop)
        signal.alarm(SECONDS)

    def __exit__(self, *_: object) -> None:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, self.handler)
        resource.setrlimit(resource.RLIMIT_AS, self.memory)

    @staticmethod
    def _stop(*_: object) -> None:
        raise _Hang


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Write files, in folders of their own where their names say so."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
