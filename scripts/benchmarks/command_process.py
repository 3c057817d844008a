"""A command of fairseq in a process of its own, which knows of the plugin what ``--user-dir`` says.

So nothing of the plugin is imported here.
"""

import argparse
import os
import re
import resource
import shlex
import statistics
import sys
from importlib.metadata import entry_points
from multiprocessing import get_context
from pathlib import Path

import torch


def run(command: str, line: str, folder: Path) -> tuple[float, float]:
    """Speed, as the command logs it, and MiB at the peak of its process.

    Of a training it is the median of words a second in all intervals of the log but the first; of a
    generation, sentences a second.
    """
    log = folder / "log.txt"
    context = get_context("forkserver")
    context.set_forkserver_preload(["fairseq", "torch._dynamo"])  # the latter by optimizers
    process = context.Process(target=_run_here, args=(command, shlex.split(line), str(log)))
    process.start()
    process.join()
    text = log.read_text(encoding="utf-8")
    if process.exitcode:
        raise SystemExit(f"{command} {line} failed: {text.strip().splitlines()[-1]}")
    speeds = [float(speed) for speed in re.findall(r'"wps": "([\d.]+)"', text)[1:]]
    speeds += [float(speed) for speed in re.findall(r"\(([\d.]+) sentences/s", text)]
    (peak,) = re.findall(r"^peak ([\d.]+) MiB$", text, re.MULTILINE)
    return statistics.median(speeds), float(peak)


def _run_here(command: str, line: list[str], log: str) -> None:
    with open(log, "w", encoding="utf-8") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    # fairseq's own checkpoints hold the settings of a model so, which torch 2.6 and later refuse.
    torch.serialization.add_safe_globals([argparse.Namespace])
    sys.argv = [command, *line]
    (script,) = entry_points(group="console_scripts", name=command)
    script.load()()
    print(f"\npeak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10} MiB")
