"""A shell in which the commands of a page run for real, but small.

`bash` reads the blocks of a page one after the other. In front of its PATH stand scripts with the
names of the commands, each of which sends its words to `Commands` here: they are made small (flags
that are put behind them, of which fairseq takes the last), and run in processes that have torch
loaded. What would be downloaded is written by `raw_files`.
"""

import glob
import json
import os
import shlex
import shutil
import socketserver
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

from conftest import ROOT
from gpu_check import warm_commands

from . import raw_files

# Sends what it was called with; standard input alone where the command reads it.
# (The path of Python may have a space, which no first line of a script can have.)
SCRIPT = """#!/bin/sh
'''exec' "{python}" -SE "$0" "$@"
'''
import json, os, socket, sys
words = sys.argv[1:]
name = os.path.basename(sys.argv[0])
memtx = name == "fairseq-memtx" and {{*words}} & {{"translate", "progress", "-"}}
reads = name in ("fairseq-interactive", "python") or memtx
request = dict(name=name, words=words, cwd=os.getcwd(), env=dict(os.environ))
request["input"] = sys.stdin.read() if reads and not sys.stdin.isatty() else ""
server = socket.socket(socket.AF_UNIX)
server.connect({server!r})
file = server.makefile("rw")
file.write(json.dumps(request) + "\\n")
file.flush()
answer = json.loads(file.readline())
sys.stdout.write(answer["out"])
sys.stderr.write(answer["err"])
sys.exit(answer["code"])
"""
FAIRSEQ = ["train", "generate", "interactive", "validate", "eval-lm", "preprocess", "hydra-train"]
COMMANDS = [*(f"fairseq-{name}" for name in FAIRSEQ), "fairseq-memtx", "torchrun", "python", "curl"]

PROGRAMS = {
    "python": "walked_pages.shell:run_standard_input",
    "fairseq-memtx": "fairseq_memtx.commands.main:main",
}
# What was made by a command, so that a page after it need not wait. Part of the key is which of its
# words files began with, so that a page that lacks one does not get away with it.
MADE: dict[tuple[object, ...], Path] = {}

# What is put behind a command, by its name or, where they have that, by its words.
SMALL = {
    "fairseq-train": "--max-update 1 --num-workers 0 --cpu --log-format none",
    "fairseq-generate": "--max-len-b 6 --cpu",
    "fairseq-interactive": "--max-len-b 30 --cpu",
    "fairseq-validate": "--num-workers 0 --cpu",
    "fairseq-eval-lm": "--cpu",
    "fairseq-hydra-train": "optimization.max_update=1 dataset.num_workers=0 common.cpu=true",
    "fairseq-memtx write": "--length 8",
    "fairseq-memtx translate": "--max-len-b 6",
    "fairseq-memtx prepare numbers": "--pairs 144 --held-out 40",
    "fairseq-memtx inspect": "--examples 4 --parts head_classes",
}
# What is put there where a flag was given, so that it has another value.
SMALLER = {
    "fairseq-train": {
        # An epoch is an update (of pairs that are a multiple of 8), and each has a checkpoint.
        "--max-tokens": "--max-tokens 50000 --max-update 3",
        "--lr-scheduler cosine": "--max-update 2",
        "--sequence-length 1024": "--sequence-length 256",
        "--sequence-length 4096": "--sequence-length 512",
        "--tokens-per-sample 2048": "--tokens-per-sample 256",
        "--batch-size 32": "--batch-size 8",
        "--task facts_in_noise": "--train-size 16 --valid-size 8 --batch-size 8",
        "--task majority-tagging": "--train-size 8 --valid-size 4 --batch-size 4",
        "--task reading": "--train-size 32 --valid-size 8 --batch-size 8",
        "--algorithm": "--train-size 32 --valid-size 8 --batch-size 8",
        "--validate-interval-updates": "3",
        "--warmup-updates": "1",
        "--total-num-update": "4",
    },
    "fairseq-validate": {"--length-curve": "2,4", "--valid-size": "4", "--valid-streams": "2"},
    "fairseq-eval-lm": {"--valid-streams": "2"},
    "fairseq-memtx prepare translation": {"--bpe-size": "200"},
    "fairseq-memtx prepare language-model": {"--bpe-size": "200"},
    "fairseq-memtx prepare classification": {"--rows": "60 20 20"},
    "fairseq-memtx prepare question-answering": {
        "--bpe-size": "60",
        "--held-out": "1",
        "--questions": "6 6",
    },
}


class Commands(socketserver.ThreadingUnixStreamServer):
    """Runs commands for the shell of one page, whose repository is ``folder``."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder / ".server"), Answer)
        self.folder = folder
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def answer(self, name: str, words: list[str], request: dict[str, Any]) -> tuple[int, str, str]:
        """Exit code, output and errors of a command."""
        cwd, env = Path(request["cwd"]), request["env"]
        workers = 0
        if name == "curl":
            return raw_files.serve(words)
        if name == "torchrun":
            workers = int(words[words.index("--nproc_per_node") + 1])
            place = next(i for i, word in enumerate(words) if word.endswith("fairseq-train"))
            name, words = "fairseq-train", words[place + 1 :]
        if name == "python" and words[:1] == ["-"] and len(words) == 3:
            return int(not Path(cwd, words[2]).is_file()), "", ""  # a checksum of the official file
        if name == "python" and words[:2] == ["-m", "fairseq_memtx"] and len(words) > 2:
            name, words = "fairseq-memtx", words[2:]
        if name == "python" and words[:2] == ["-m", "fairseq_cli.preprocess"]:
            name, words = "fairseq-preprocess", words[2:]
        if name == "python" and words not in ([], ["-"]):
            program = [sys.executable, *words]
            done = subprocess.run(
                program, cwd=cwd, env=env, input=request["input"], capture_output=True, text=True
            )
            return done.returncode, done.stdout, done.stderr
        words = small(name, words)
        program = PROGRAMS.get(name, name)
        makes = [flag for flag in ("--save-dir", "--dest") if flag in words]
        if name in ("fairseq-train", "fairseq-memtx") and makes and not workers:
            return self.once(program, words, cwd, env, makes[0])
        return self.warm(program, words, cwd, env, input=request["input"], workers=workers)

    def warm(
        self, program: str, words: list[str], cwd: Path, env: dict[str, str], **options: Any
    ) -> tuple[int, str, str]:
        """Run a command, and what it starts by Python, in processes that have torch loaded."""
        python = partial(use_python, str(self.folder / ".venv/bin/python"))
        done, *_ = warm_commands.run(program, words, cwd, 600, env, prepare=python, **options)
        return done.returncode, done.stdout, done.stderr

    def once(
        self, program: str, words: list[str], cwd: Path, env: dict[str, str], flag: str
    ) -> tuple[int, str, str]:
        """Run what makes the folder that a flag names, but once for all seeds and pages."""
        place = words.index(flag) + 1
        made = cwd / words[place]
        others = words[: place - 1] + words[place + 1 :]
        others = [w for before, w in zip(["", *others], others) if before != "--seed"]
        here = [(w.replace(str(self.folder), ""), begins_files(cwd / w)) for w in others]
        key = (program, *here)
        if key in MADE:
            if made != MADE[key]:
                shutil.copytree(MADE[key], made, dirs_exist_ok=True)
            return 0, "", ""
        code, out, err = self.warm(program, words, cwd, env)
        if code == 0:
            MADE[key] = made
        return code, out, err


class Answer(socketserver.StreamRequestHandler):
    """One command."""

    def handle(self) -> None:
        """Read a line, and answer with one."""
        request = json.loads(self.rfile.readline())
        try:
            code, out, err = self.server.answer(request["name"], request["words"], request)
        except Exception as error:  # the shell is to end with it, not to wait
            code, out, err = 99, "", f"walked_pages: {error!r}\n"
        self.wfile.write(json.dumps({"code": code, "out": out, "err": err}).encode() + b"\n")


def begins_files(path: Path) -> bool:
    """Whether there is such a file, or files whose names begin like this."""
    return any(path.parent.glob(f"{glob.escape(path.name)}*"))


def small(name: str, words: list[str]) -> list[str]:
    """The words of a command, and what makes it small."""
    line = f"{' '.join([name, *words])} "
    added = [SMALL[start] for start in SMALL if line.startswith(f"{start} ")]
    for start, flags in SMALLER.items():
        for given, values in flags.items() if line.startswith(f"{start} ") else ():
            if f" {given} " in line:
                added.append(values if values.startswith("--") else f"{given} {values}")
    return [*words, *shlex.split(" ".join(added))]


def use_python(path: str) -> None:
    """Start this one where another process of Python is wanted."""
    sys.executable = path


def run_standard_input() -> None:
    """``python -`` in a process that has torch loaded."""
    exec(compile(sys.stdin.read(), "<page>", "exec"), {"__name__": "__main__"})


def repository(folder: Path) -> None:
    """A clone, as far as a shell can tell, with an environment of its own."""
    for path in ROOT.iterdir():
        if path.name in {"docs", "examples", "fairseq_memtx", "scripts", "tests"} or path.is_file():
            (folder / path.name).symlink_to(path)
    programs = folder / ".venv/bin"
    programs.mkdir(parents=True)
    for name in COMMANDS:
        text = SCRIPT.format(python=sys.executable, server=str(folder / ".server"))
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (programs / "sacrebleu").symlink_to(Path(sys.executable).with_name("sacrebleu"))
    (programs / "activate").write_text(f'export PATH="{programs}:$PATH"\n')


def run(script: str, folder: Path) -> subprocess.CompletedProcess:
    """Let bash read a script in a repository; its commands go on as long as they succeed."""
    repository(folder)
    raw_files.write_all(folder)
    server = Commands(folder)
    (folder / ".script.sh").write_text(script, encoding="utf-8")
    env = {
        **os.environ,
        "PATH": f"{folder / '.venv/bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
    }
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    try:
        return subprocess.run(
            ["bash", "-euo", "pipefail", ".script.sh"], cwd=folder, env=env, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=900,
        )  # fmt: skip
    finally:
        server.shutdown()
        server.server_close()
