"""The command line ``fairseq-memtx``: its names, how quickly it helps, and how it ends."""

import os
import signal
import subprocess
import sys
import time
import warnings

import pytest
from conftest import ROOT, memtx

from fairseq_memtx.commands import main as command_line
from fairseq_memtx.errors import MemtxError

COMMANDS = [
    "prepare translation", "prepare language-model", "prepare classification", "prepare numbers",
    "average", "convert transformer-xl", "convert hf-roberta", "convert hf-gpt2", "export",
    "plot memory", "plot training", "plot length-curve", "plot progress", "arches", "flags",
    "doctor",
]  # fmt: skip
SLOW = {"torch", "fairseq", "numpy", "hydra", "omegaconf", "matplotlib", "sacremoses", "tqdm"}


def python(*arguments: str, **options) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, **options
    )


def test_help_of_every_command_imports_nothing_slow():
    program = (
        "import sys\nfrom fairseq_memtx.commands.main import main\n"
        f"for line in {['', *COMMANDS]!r}:\n"
        "    try:\n        main([*line.split(), '--help'])\n"
        "    except SystemExit as end:\n        assert not end.code, line\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = python("-c", program)
    assert done.returncode == 0, done.stderr
    assert not SLOW & set(done.stderr.split())
    for line in COMMANDS:
        assert f"usage: fairseq-memtx {line} [-h]" in done.stdout


@pytest.mark.processes
def test_help_takes_less_than_a_second():
    """At its best: the machine may be busy."""
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        assert "prepare" in python("-m", "fairseq_memtx", "--help").stdout
        taken.append(time.perf_counter() - start)
    assert min(taken) < 1


def test_without_a_command_the_folder_comes_first(capsys):
    assert memtx() == 0
    folder, versions, *more = capsys.readouterr().out.splitlines()
    assert folder == str(ROOT / "fairseq_memtx")
    assert all(name in versions for name in ("fairseq_memtx ", "python 3", "fairseq 0", "torch "))
    assert "  rmt_lm_enwik8" in more


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("averge", "COMMAND averge is unknown: did you mean average: see fairseq-memtx --help"),
        ("flags rmt_ml_tiny", "ARCH rmt_ml_tiny is unknown: did you mean rmt_lm_tiny"),
        ("prepare", "the following arguments are required: KIND: see fairseq-memtx prepare --help"),
        ("arches --symbols none", "argument --symbols: invalid positive value: 'none': see"),
        ("arches --symbol 3 x", "'x' is one argument too many"),
        ("doctor --fast", "--fast is no flag of this command"),
    ],
)
def test_a_line_that_cannot_be_read_is_refused_in_a_line(line, told, capsys):
    with pytest.raises(SystemExit) as end:
        memtx(*line.split())
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"fairseq-memtx: error: {told}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (MemtxError("it is so: do this"), 1, "it is so: do this"),
        (OSError(28, "No space left on device", "a.pt"), 1, "a.pt: No space left on device"),
        (OSError("the disk is gone"), 1, "the disk is gone"),
        (ModuleNotFoundError("no", name="babel.dates"), 1, "babel is missing: pip install Babel"),
        (KeyboardInterrupt(), 130, "stopped; the next start begins anew"),
        (KeyboardInterrupt(signal.SIGTERM), 143, "stopped; the next start begins anew"),
    ],
)
def test_what_a_user_can_put_right_is_told_in_a_line(error, code, told, monkeypatch, capsys):
    def raise_it(_line: object) -> None:
        raise error

    monkeypatch.setattr(command_line, "run", raise_it)
    before = signal.getsignal(signal.SIGTERM)
    assert memtx("doctor") == code
    assert capsys.readouterr().err == f"fairseq-memtx: error: {told}\n"
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("a fault of ours"), ModuleNotFoundError(name="fairseq_memtx.gone")]
)
def test_other_errors_keep_their_traceback(error, monkeypatch):
    def raise_it(_line: object) -> None:
        raise error

    monkeypatch.setattr(command_line, "run", raise_it)
    with pytest.raises(type(error)):
        memtx("doctor")


def test_whoever_has_read_enough_is_told_nothing():
    """As ``fairseq-memtx | head -n 0``."""
    command = [sys.executable, "-u", "-m", "fairseq_memtx"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=environment)
    os.close(write)
    assert done.stderr == b""


@pytest.mark.parametrize("asked_for", [[], ["default"]])
def test_warnings_of_libraries_are_for_those_who_ask(asked_for, monkeypatch, recwarn):
    monkeypatch.setattr(sys, "warnoptions", asked_for)
    monkeypatch.setattr(command_line, "run", lambda line: warnings.warn("hm", stacklevel=1))
    assert memtx("arches") == 0
    assert len(recwarn) == len(asked_for)


COMPLETE = """
source ./script
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_shtab_fairseq_memtx
printf '%s ' "${COMPREPLY[@]}"
"""


def test_a_shell_completes_commands_flags_architectures_and_files(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        memtx("--print-completion", "bash")
    assert not end.value.code
    (tmp_path / "script").write_text(capsys.readouterr().out)
    for line, expected in [
        ("prepare ", "translation language-model classification question-answering numbers"),
        ("prepare translation --max", "--max-length --max-ratio"),
        ("flags rmt_lm_", "rmt_lm_enwik8 rmt_lm_tiny rmt_lm_wiki103"),
        ("average --output scr", "script"),
    ]:
        words = ["fairseq-memtx", *line.split(" ")]
        done = subprocess.run(
            ["bash", "-c", COMPLETE, "bash", *words], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.stdout.split() == expected.split()
