"""docs/architecture.md: its picture is what the files import, and what it names is there."""

import ast
import re
from argparse import Namespace
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import torch
from conftest import ROOT, memtx, words
from torch import Tensor

from fairseq_memtx.commands import main
from fairseq_memtx.commands.parser import add_command
from fairseq_memtx.errors import MemtxError
from fairseq_memtx.memory import GroupedAttention, Groups, capture_attention
from fairseq_memtx.models.gmat_roberta import GmatRobertaModel
from fairseq_memtx.modules import gmat_attention

PACKAGE = ROOT / "fairseq_memtx"
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
# Plain Python that any room may use, and the door through which fairseq's rooms come in.
EVERYWHERE = {"errors", "fairseq_errors", "refusals", "written_aside", "put_around", "versions"}
EVERYWHERE |= {"plugin", "quiet"}


def rooms_imported(path: Path) -> set[str]:
    """Rooms of the package that a file imports, at its top or later."""
    folder = path.relative_to(PACKAGE).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            outside = folder[: len(folder) + 1 - node.level]
            whole = [*outside, *(node.module or "").split(".")]
            found |= {whole[0]} if whole[0] else {name.name for name in node.names}
    return {room for room in found if (PACKAGE / room).is_dir() or room in EVERYWHERE}


def arrows() -> dict[str, set[str]]:
    """Who imports whom, room by room."""
    found = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).parts
        if len(parts) > 1 and parts[0] != "hydra_plugins":
            found[parts[0]] |= rooms_imported(path) - EVERYWHERE - {parts[0]}
    return {room: others for room, others in found.items() if others}


def test_the_picture_is_what_the_files_import():
    (picture,) = re.findall(r"```mermaid\n(.*?)```", PAGE, re.DOTALL)
    lines = re.findall(r"(\w+) --> (.*)", picture)
    assert {room: set(others.split(" & ")) for room, others in lines} == arrows()


def test_no_arrow_goes_back():
    tuple(TopologicalSorter(arrows()).static_order())  # raises CycleError


def test_what_any_room_may_use_uses_no_room():
    for name in EVERYWHERE - {"plugin"}:
        assert rooms_imported(PACKAGE / f"{name}.py") <= EVERYWHERE - {"plugin"}, name


def test_every_room_is_on_the_page():
    rooms = {path.parent.name for path in PACKAGE.glob("*/*") if path.suffix in {".py", ".yaml"}}
    rooms |= {"config", "hydra_plugins"}
    named = set(re.findall(r"`(\w+)/`", PAGE))
    assert rooms - named == set()


def test_files_and_names_are_there():
    named = re.findall(r"`((?:\w+/)*\w+\.py|(?:\w+/)+\w+\.\w+|(?:\w+/)+)(?:::([\w.]+))?`", PAGE)
    assert len(named) > 60
    for path, name in named:
        file = next((p for p in (PACKAGE / path, ROOT / path) if p.exists()), None)
        assert file is not None, path
        tree = ast.parse(file.read_text(encoding="utf-8")) if name else None
        for part in filter(None, name.split(".")):
            tree = next((node for node in tree.body if part in names_of(node)), None)
            assert tree is not None, f"{path}::{name}"


def names_of(node: ast.stmt) -> list[str]:
    """What a statement defines."""
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def test_rooms_that_know_python_alone():
    """What they import at the top is Python's own, their own, or plain."""
    for room in ("text", "prepare", "commands", "doctor"):
        for path in (PACKAGE / room).rglob("*.py"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                names = [alias.name for alias in getattr(node, "names", ())]
                module = getattr(node, "module", None)
                if not getattr(node, "level", 0):
                    names = [module] if module else names
                    assert not {"torch", "fairseq"} & {name.split(".")[0] for name in names}, path


def test_files_are_short():
    """One idea a file: of the package and its scripts."""
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "scripts").rglob("*.py"), *ROOT.glob("scripts/*.sh")]
    lines = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert {file.name: count for file, count in lines.items() if count > 300} == {}
    assert median(lines.values()) < 120


def test_a_sparse_scheme_is_a_class_and_a_line(monkeypatch):
    class Halves(GroupedAttention):
        def group(self, query: Tensor, key: Tensor, value: Tensor, real: Tensor | None) -> Groups:
            rows = (torch.unflatten(x, 2, (2, -1)) for x in (query, key, value))
            return Groups(*rows, None)

    monkeypatch.setitem(gmat_attention.SCHEMES, "halves", lambda cfg, channels: Halves())
    args = Namespace(
        encoder_layers=1, encoder_embed_dim=16, encoder_ffn_embed_dim=16,
        encoder_attention_heads=2, max_positions=8, memory_tokens=1, sparse_attention="halves",
    )  # fmt: skip
    task = Namespace(source_dictionary=words(), cfg=Namespace(data=None))
    model = GmatRobertaModel.build_model(args, task).eval()
    with capture_attention(model) as maps, torch.no_grad():
        model(torch.randint(4, 20, (1, 6)), features_only=True)
    ((weights,),) = maps.values()
    assert not weights[0, 0, 1:4, 4:].any(), "a token sees no token of the other half"
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 2, 7))
    args.attention_kernel, args.attention_dropout = "flex", 0.0
    with pytest.raises(MemtxError, match="halves does not tell: use one that does"):
        GmatRobertaModel.build_model(args, task)


def test_a_command_is_a_file_and_a_name(monkeypatch, capsys):
    def add_to(commands: Any) -> None:
        add_command(commands, "greet", lambda options: print("hello"), "say hello")

    monkeypatch.setattr(main, "COMMANDS", (*main.COMMANDS, Namespace(add_to=add_to)))
    assert memtx("greet") == 0
    assert capsys.readouterr().out == "hello\n"
