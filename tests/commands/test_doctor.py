"""``fairseq-memtx doctor``: what is there, what is missing, and what to do."""

import importlib.metadata
import json
import re
import sys

import pytest
import torch
from conftest import ROOT, memtx

from fairseq_memtx.doctor import machine, packages
from fairseq_memtx.doctor.examination import examine


def examined(capsys) -> tuple[int, str]:
    with pytest.raises(SystemExit) as end:
        memtx("doctor")
    return int(end.value.code), capsys.readouterr().out


def test_what_works_here(capsys):
    code, output = examined(capsys)
    assert code == 0, output
    lines = output.splitlines()
    assert {line.split()[0] for line in lines} <= {"ok", "note"}
    for what in ("Python 3.", f"torch {torch.__version__}", "fairseq 0.12", "numpy "):
        assert any(line.startswith(f"ok     {what}") for line in lines), what
    assert f"ok     --user-dir {ROOT / 'fairseq_memtx'} registers 25 architectures" in lines
    assert re.search(r"^ok     this fairseq has \d+ of \d+ known faults, all mended$", output, re.M)
    assert "bfloat16 on " in output
    assert "OpenMP" in output


@pytest.mark.parametrize("name", ["torch", "fairseq"])
def test_what_is_missing_is_told_once(name, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, name, None)
    code, output = examined(capsys)
    assert code == 1
    (fault,) = (line for line in output.splitlines() if line.startswith("fault"))
    assert fault.startswith(f"fault  {name} cannot be imported (ModuleNotFoundError: ")
    assert "pip install " in fault


def test_a_library_that_does_not_load(monkeypatch):
    def broken(name: str) -> None:
        raise OSError("libtorch_cpu.so:\nundefined symbol")

    monkeypatch.setattr(packages.importlib, "import_module", broken)
    states = [str(finding) for finding in packages.needed()]
    assert states[0].startswith("fault  torch cannot be imported (OSError: libtorch_cpu.so: unde")


def test_two_fairseqs(monkeypatch):
    monkeypatch.setattr(packages, "_version", lambda name: "0.12.2")
    assert any("both installed" in str(finding) for finding in packages.needed())


def test_packages_that_only_some_need(monkeypatch):
    monkeypatch.setattr(packages, "_version", lambda name: None if name == "sacrebleu" else "1")
    notes = [str(finding) for finding in packages.optional() if finding.state == "note"]
    assert notes == ["note   no sacrebleu, for scores of translations: pip install sacrebleu"]


class Distribution:
    """As `importlib.metadata` finds it."""

    version = "0.1.0"

    def __init__(self, url: str | None) -> None:
        self.url = url

    def read_text(self, _name: str) -> str | None:
        return self.url and json.dumps({"url": self.url, "dir_info": {"editable": True}})

    def locate_file(self, _name: str) -> str:
        return "/usr/lib/site-packages"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (ROOT.as_uri(), f"ok     fairseq-memtx 0.1.0, installed from {ROOT}"),
        (
            "file:///another%20gr%C3%B6%C3%9Fer",
            "note   fairseq-memtx 0.1.0, installed from /another größer: this command is",
        ),
        (None, "note   fairseq-memtx 0.1.0, installed in /usr/lib/site-packages: this command is"),
    ],
)
def test_how_it_is_installed(url, told, monkeypatch):
    monkeypatch.setattr(packages.metadata, "distribution", lambda name: Distribution(url))
    (finding,) = packages.installation()
    assert str(finding).startswith(told)


def test_it_is_not_installed(monkeypatch):
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(packages.metadata, "distribution", missing)
    (finding,) = packages.installation()
    assert "is not installed, but used from" in str(finding)


@pytest.mark.parametrize(
    ("count", "policy", "state"), [(1, "", "ok"), (2, "", "note"), (2, "PASSIVE", "ok")]
)
def test_threads_that_spin(count, policy, state, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: count)
    monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    assert [finding.state for finding in machine.threads()] == [state]


def test_a_gpu(monkeypatch):
    class About:
        name, total_memory = "H100", 80 * 2**30

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: About)
    assert [str(finding) for finding in machine.gpus()] == ["ok     GPU 0: H100, 80 GiB"]


def test_a_precision_that_is_missing_or_wrong(monkeypatch):
    monkeypatch.setattr(torch, "float16", "no such type")
    monkeypatch.setattr(torch, "bfloat16", torch.int8)
    assert [finding.state for finding in machine.precisions()] == ["note", "fault"]


def test_a_look_that_fails_is_a_finding(monkeypatch):
    def fails():
        raise RuntimeError("a driver\nis too old")

    monkeypatch.setattr("fairseq_memtx.doctor.examination.LOOKS", (fails,))
    (finding,) = examine()
    told = "fault  fails could not be looked at (RuntimeError: a driver is too old): see above"
    assert str(finding) == told
