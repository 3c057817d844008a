"""The command line of ``scripts/reproduce.sh``."""

import argparse
import importlib.metadata
import os
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from fairseq_memtx.errors import MemtxError

from .claim import BUDGETS, Claim, read_claims
from .evaluation import all_budgets, wanted_runs
from .pages import publish, write_results
from .records import read_records
from .runs import Experiments, Run
from .work import ROOT, Work

CLAIMS = ROOT / "scripts" / "claims"
PUBLISHED, PUBLISHED_RUNS = ROOT / "docs" / "claims.md", ROOT / "docs" / "claims-runs.json"
MINUTES = {"minutes": 60, "hours": 300, "gpu": 9}
GPU_JOBS = 16


def main() -> None:
    """Do what is missing, and write what is known."""
    arguments = parse()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    try:
        sys.exit(reproduce(arguments))
    except MemtxError as error:
        sys.exit(f"reproduce.sh: error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def parse() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(prog="reproduce.sh", description="What the papers claim.")
    add = parser.add_argument
    add("--claims", default="", metavar="NAME,...", help="those alone (default: all)")
    add("--budget", choices=BUDGETS, default="minutes", help="how large (default: minutes)")
    add("--data", type=given, metavar="FOLDER",
        help="with folders multi30k and enwiki; without, what needs them is not run")  # fmt: skip
    add("--claims-folder", type=given, metavar="FOLDER", help="claims of your own, beside ours")
    add("--output", type=given, metavar="FOLDER", help="of the results (default: results)")
    add("--quick", action="store_true",
        help="a few updates of one seed: do the commands run? Says nothing of the claims; results "
        "are in results/quick")  # fmt: skip
    add("--jobs", type=int, metavar="N", help="runs at a time (default: 2; on a GPU 16)")
    add("--minutes", type=float, metavar="N", help="stop after N minutes (default: the budget's)")
    add("--list", action="store_true", help="list the claims and the seconds they take, and end")
    add("--known", type=given, metavar="FILE",
        help="a runs.json of another machine: what that one measured is not done "
        "again")  # fmt: skip
    add("--publish", action="store_true",
        help="write docs/claims.md and docs/claims-runs.json as well; what stands there of runs "
        "that are not finished here stays")  # fmt: skip
    arguments = parser.parse_args()
    if arguments.quick and arguments.publish:
        parser.error("--quick says nothing of the claims: there is nothing to publish")
    if arguments.output is None:
        arguments.output = ROOT / "results" / ("quick" if arguments.quick else "")
    return arguments


def given(path: str) -> Path:
    """A path as it was meant where the command was given."""
    return Path(os.environ.get("STARTED_IN", "."), path).absolute()


def reproduce(arguments: argparse.Namespace) -> int:
    """Run, judge, write; the exit code."""
    folders = [CLAIMS, *([arguments.claims_folder] if arguments.claims_folder else [])]
    claims = read_claims(folders, [name for name in arguments.claims.split(",") if name])
    everything = read_claims(folders, [])
    experiments = Experiments(folders[::-1], arguments.budget, arguments.quick)
    about = circumstances()
    known = read_records(arguments.known) if arguments.known else {}
    published = read_records(PUBLISHED_RUNS) if arguments.publish else {}
    work = Work(arguments.output / "runs", arguments.data, about, known)
    wanted = {claim.name: wanted_runs(claim, experiments) for claim in claims}
    order = claims
    if not arguments.claims:
        # The cheapest first, so that as many as possible are whole if time is over before the end.
        order = sorted(claims, key=lambda claim: sum(run.seconds for run in wanted[claim.name]))
    if arguments.list:
        tell(order, wanted, work)
        return 0
    jobs = arguments.jobs or (GPU_JOBS if arguments.budget == "gpu" else 2)
    limit = arguments.minutes or MINUTES[arguments.budget]
    complete = False
    try:
        runs = [run for claim in order for run in wanted[claim.name]]
        complete = work.do(runs, jobs, 60 * limit)
    finally:
        results = all_budgets(everything, folders[::-1], work, arguments.quick)
        write_results(arguments.output, results, work, about)
        if arguments.publish:
            both = Work(work.folder, work.corpora, about, published | known)
            of_both = all_budgets(everything, folders[::-1], both, quick=False)
            more = (CLAIMS / "README.md").read_text(encoding="utf-8")
            publish(PUBLISHED, PUBLISHED_RUNS, of_both, both, more)
        for result in results[arguments.budget]:
            if result.claim in claims:
                print(f"{result.verdict:18} {result.claim.name}: {result.claim.claim}")
        print(f"wrote {arguments.output / 'claims.html'}, claims.md and claims.json")
    if not complete:
        print("the time is over: the same command goes on where it was stopped", file=sys.stderr)
    unfinished = [run for runs in wanted.values() for run in runs if work.finished(run) is None]
    return int(any(map(work.failed, unfinished)))


def tell(claims: list[Claim], wanted: dict[str, list[Run]], work: Work) -> None:
    """List claims; runs that several share are counted with the first."""
    counted: set[str] = set()
    for claim in claims:
        missing = {run.name: run for run in work.unfinished(wanted[claim.name])}
        new = [run for name, run in missing.items() if name not in counted]
        counted |= set(missing)
        seconds = sum(run.seconds for run in new)
        print(
            f"{claim.name:34} {len(new):3} runs to do, {seconds:6.0f} s of one core: {claim.claim}"
        )


def circumstances() -> dict[str, Any]:
    """Commit and machine."""

    def git(*command: str) -> str:
        done = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no")
    commit = git("rev-parse", "--short", "HEAD") or "unknown"
    return {
        "commit": f"{commit} with changes" if changed else commit,
        "machine": f"{processor()}, {os.cpu_count()} cores, {accelerator()}, "
        f"torch {importlib.metadata.version('torch')}, Python {platform.python_version()}",
    }


def processor() -> str:
    """Its name, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n")
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def accelerator() -> str:
    """The first GPU, as its driver calls it; torch would take seconds to say so."""
    if not shutil.which("nvidia-smi"):
        return "no GPU"
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    names = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    return names[0] if names else "no GPU"


if __name__ == "__main__":
    main()
