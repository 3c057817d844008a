"""No text of a configuration is run as a program, wherever fairseq would have run it."""

import ast
import importlib
import sys
import time
import types
from argparse import Namespace
from pathlib import Path

import fairseq
import fairseq_cli
import pytest
import torch
from conftest import ROOT, words
from fairseq import models, utils

import fairseq_memtx.models  # noqa: F401
from fairseq_memtx.compat.literals import literal, mend
from fairseq_memtx.errors import MemtxError

FOLDERS = [Path(fairseq.__file__).parent, Path(fairseq_cli.__file__).parent]


@pytest.fixture
def program(tmp_path):
    """A text that leaves a file behind when it is run."""
    canary = tmp_path / "canary"
    yield f"__import__('pathlib').Path({str(canary)!r}).touch()"
    assert not canary.exists()


# --- what a text may say -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "[(512, 3)] * 20",
        "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512,2,2)] * 2",
        "[((64, 3, 2, 2, True),) * 2]",
        "(0.9, 0.98)",
        "(1e-30, 1e-3)",
        "{'memory_tokens': 1, 'task': {'data': 'x y'}}",
        "{}",
        "True",
        "0",
        "-1.5",
        "'text'",
        "[[(32, 'x')] * 2] * 2",
    ],
)
def test_values_are_those_of_eval(text):
    assert literal(text) == eval(text)
    assert literal(f" {text} ") == eval(text)


@pytest.mark.parametrize(
    "text",
    [
        "open('x')",
        "(lambda: 1)()",
        "[x for x in (1,)]",
        "().__class__",
        "f'{1}'",
        "encoder_layers",
        "2 ** 2 ** 2 ** 2 ** 2 ** 2",
        "1 << 99999999999",
        "",
        "[1, 2",
        "\0",
        "1; 2",
        "[0] * 10 ** 12",
        "[0] * 1000000000000",
        "'x' * 1000000000000",
        "[0] * 99999 + [0] * 99999",
        "(" * 9999,
        "-" * 99999 + "1",
        "+".join(["1"] * 99999),
        "9" * 9999,
        " " * 1_000_001 + "1",
    ],
)
def test_everything_else_is_refused_in_a_line_at_once(text):
    started = time.monotonic()
    with pytest.raises(MemtxError, match="is no plain value") as error:
        literal(text)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300
    assert time.monotonic() - started < 2


def test_what_is_no_text_is_a_type_error_as_of_eval():
    assert utils.eval_bool(False) is False
    assert utils.eval_bool(None, default=True) is True
    assert utils.eval_bool("True") is True


# --- where fairseq runs texts ------------------------------------------------------------------


def callers(folders: list[Path], names: set[str]) -> list[str]:
    """Modules in these folders that call a built-in function of one of these names."""
    found = []
    for folder in folders:
        for path in folder.rglob("*.py"):
            called = {
                node.func.id
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            if called & names:
                found.append(".".join(path.relative_to(folder.parent).with_suffix("").parts))
    return [name for name in found if not name.startswith("fairseq.examples.")]


def test_every_module_of_fairseq_that_calls_eval_reads_literals_only():
    """One by one; for its examples, which want other libraries, see below."""
    modules = callers(FOLDERS, {"eval"})
    assert len(modules) > 20, "the search itself works"
    assert {"fairseq.utils", "fairseq.models.fconv", "fairseq_cli.validate"} <= set(modules)
    for name in modules:
        assert importlib.import_module(name).eval is literal, name


@pytest.mark.parametrize(("folder", "reads"), [("fairseq_cli", True), ("elsewhere", False)])
def test_a_program_that_is_started_by_its_path(monkeypatch, folder, reads):
    """Also ``python -m fairseq_cli.validate``, whose module is ``__main__`` then."""
    started = types.ModuleType("__main__")
    started.__file__ = f"/home/somebody/{folder}/validate.py"
    monkeypatch.setitem(sys.modules, "__main__", started)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.delattr(fairseq.utils, "eval")
    mend()
    assert (getattr(started, "eval", None) is literal) == reads


def test_nothing_else_of_fairseq_runs_texts():
    """A fairseq that calls one of these has to be looked at anew."""
    assert not callers(FOLDERS, {"exec", "compile", "__import__"})


def test_nothing_of_ours_runs_texts():
    ours = [ROOT / "fairseq_memtx", ROOT / "scripts"]
    assert not callers(ours, {"eval", "exec", "compile", "__import__"})


@pytest.mark.parametrize("name", ["fairseq.examples.one", "examples.two", "fairseq_cli.three"])
def test_modules_that_are_imported_later_read_literals_only(name, tmp_path, monkeypatch, program):
    """The examples, among others; also in a line that runs on being imported."""
    package, _, last = name.rpartition(".")
    (tmp_path / f"{last}.py").write_text("seven = eval('7')\ndef read(text): return eval(text)")
    parent = type(sys)(package)
    parent.__path__ = [str(tmp_path)]
    monkeypatch.setitem(sys.modules, package, parent)
    module = importlib.import_module(name)
    monkeypatch.delitem(sys.modules, name)
    assert module.seven == 7
    with pytest.raises(MemtxError, match="is no plain value"):
        module.read(program)


def test_other_modules_keep_their_eval(tmp_path, monkeypatch):
    (tmp_path / "somebody_elses.py").write_text("seven = eval('3 + len(\"four\")')")
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.import_module("somebody_elses").seven == 7


def test_lists_of_numbers_in_settings(program):
    for read in (utils.eval_str_list, utils.eval_str_dict, utils.eval_bool):
        with pytest.raises(MemtxError, match="is no plain value"):
            read(program)
    assert utils.eval_str_list("1,2", type=int) == [1, 2]
    assert utils.eval_str_list("0.5") == [0.5]


SMALL = {
    "encoder_embed_dim": 8, "decoder_embed_dim": 8, "decoder_out_embed_dim": 8, "dropout": 0.0,
    "encoder_layers": "[(8, 3)] * 2", "decoder_layers": "[(8, 3)] * 2", "decoder_attention": "True",
    "share_input_output_embed": False, "encoder_embed_path": None, "decoder_embed_path": None,
    "max_source_positions": 9, "max_target_positions": 9,
}  # fmt: skip


@pytest.mark.parametrize("setting", [None, "encoder_layers", "decoder_layers", "decoder_attention"])
def test_a_model_that_describes_its_layers_in_a_text(setting, program):
    """A ``fconv`` of fairseq: built from lists, refused by name with a program."""
    args = Namespace(**SMALL)
    task = Namespace(source_dictionary=words(), target_dictionary=words())
    if setting is None:
        model = models.fconv.FConvModel.build_model(args, task)
        assert isinstance(model, torch.nn.Module)
        return
    setattr(args, setting, program)
    with pytest.raises(MemtxError, match=rf"^{setting} .*__import__.* is no plain value"):
        models.fconv.FConvModel.build_model(args, task)
