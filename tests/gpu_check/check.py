"""Try everything on a GPU, most important first, and write down what was found.

Launch: ``bash scripts/gpu_check.sh``, which says more. ``run.py`` keeps the time and the results;
what is tried is in ``cases.py``, how in ``in_process.py`` (inside one process), ``commands.py`` (by
fairseq's commands) and ``speed.py``.

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
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        from .plan import plan
        from .run import Run
        from .trial import Where

        device, updates = "cpu" if arguments.cpu else "cuda", 6 if arguments.quick else 50
        where = Where(output, Path(folder), device, updates, environment)
        checks = plan(device, arguments.quick, arguments.only)
        run = Run(checks, where, started, arguments.minutes * 60, arguments.jobs)
        sys.exit(0 if run.all() else 1)


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
    os.environ["PYTHONPATH"] += f"{os.pathsep}{site}"  # of commands; the checkout comes first


def fail(message: str) -> None:
    """End in one line."""
    print(f"gpu_check: error: {message}", file=sys.stderr)
    sys.exit(2)
