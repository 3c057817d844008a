"""Try everything on a GPU, most important first, and write down what was found.

Launch: ``bash scripts/gpu_check.sh``, which says more. ``run.py`` keeps the time and the results;
what is tried is in ``cases.py``, how in ``in_process.py`` (inside one process) and ``commands.py``
(by fairseq's commands); how fast it is, in ``speed.py``, ``document_speed.py`` and
``long_reading.py``; what the papers found, in ``effects.py``.

Neither this process nor the one from which all others are forked may touch the GPU: CUDA cannot be
used in a process that was forked after that. So the GPUs are hidden from both.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Make all checks that there is time for; exit with 0 if all passed."""
    started = time.monotonic()
    arguments = parse()
    output = arguments.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    os.environ.update(PYTORCH_NVML_BASED_CUDA_CHECK="1", PYTHONWARNINGS="ignore")
    with tempfile.TemporaryDirectory(prefix="gpu_check") as folder:
        install(Path(folder) / "site")
        environment = {**os.environ, "HYDRA_FULL_ERROR": "1"}  # of commands
        if arguments.part == "claims":
            sys.exit(reproduce(arguments, output, Path(folder) / "site" / "bin"))
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        from .plan import Wanted, plan
        from .run import Run
        from .trial import Where

        device, updates = "cpu" if arguments.cpu else "cuda", 6 if arguments.quick else 50
        where = Where(output, Path(folder), device, updates, environment)
        wanted = Wanted(
            device, *(getattr(arguments, name) for name in Wanted._fields if name != "device")
        )
        run = Run(plan(wanted), where, started, arguments.minutes * 60)
        sys.exit(0 if run.all() else 1)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="gpu_check.sh", description=__doc__.split("\n", 1)[0], allow_abbrev=False
    )
    parser.add_argument("--output", type=Path, default=Path("gpu_check"), metavar="DIR",
                        help="folder of the results (default: gpu_check)")  # fmt: skip
    parser.add_argument("--part", choices=("check", "speed", "all", "claims"), default="all",
                        help="is all right, how fast is it, or both (default: all); or "
                             "scripts/reproduce.sh --budget gpu")  # fmt: skip
    parser.add_argument("--minutes", type=float, default=9, help="time for all (default: 9)")
    parser.add_argument("--jobs", type=int, metavar="N",
                        help="commands at a time (default: three for four cores)")  # fmt: skip
    parser.add_argument("--only", default="", metavar="TEXT",
                        help="checks with this in their name alone")  # fmt: skip
    parser.add_argument("--published", type=Path, metavar="PATH",
                        help="a checkout of github.com/booydar/LM-RMT, for speed")  # fmt: skip
    parser.add_argument("--multi30k", type=Path, metavar="PATH",
                        help="folder of examples/translation/prepare-multi30k.sh, to train with "
                             "0, 5, 10 and 20 memory tokens")  # fmt: skip
    parser.add_argument("--data", type=Path, metavar="FOLDER",
                        help="of corpora, for claims: see scripts/reproduce.sh --help")  # fmt: skip
    parser.add_argument("--cpu", action="store_true", help="the same without a GPU")
    parser.add_argument("--quick", action="store_true", help="a few checks, with few updates")
    arguments = parser.parse_args()
    if arguments.minutes <= 0 or (arguments.jobs is not None and arguments.jobs < 1):
        parser.error("--minutes and --jobs must be more than nothing")
    arguments.jobs = arguments.jobs or max(1, min(12, (os.cpu_count() or 1) * 3 // 4))
    return arguments


def reproduce(arguments: argparse.Namespace, output: Path, programs: Path) -> int:
    """Measure the claims by the commands that were installed; the exit code."""
    programs.mkdir(parents=True, exist_ok=True)
    own = programs / "fairseq-memtx"  # the checkout is not installed
    own.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m fairseq_memtx "$@"\n')
    own.chmod(0o755)
    os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    command = [
        sys.executable, "-m", "reproduce", "--output", str(output),
        "--budget", "minutes" if arguments.cpu else "gpu", "--minutes", str(arguments.minutes),
        "--jobs", str(arguments.jobs), *(["--quick"] if arguments.quick else []),
        *(["--data", str(arguments.data.resolve())] if arguments.data else []),
    ]  # fmt: skip
    if arguments.only:
        command += ["--claims", arguments.only]
    return subprocess.run(command).returncode


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
    os.environ["PYTHONPATH"] += f"{os.pathsep}{site}"  # of commands; the checkout comes first


def fail(message: str) -> None:
    """End in one line."""
    print(f"gpu_check: error: {message}", file=sys.stderr)
    sys.exit(2)
