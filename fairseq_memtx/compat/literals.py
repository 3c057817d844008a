"""Settings that fairseq runs as programs.

fairseq gives strings of its configuration to ``eval``: ``--encoder-layers "[(512, 3)] * 20"``,
``--adam-betas "(0.9, 0.98)"``, ``--model-overrides``, cutoffs, filters and many more. The
configuration may come with somebody's checkpoint, and then their program would run. Here the name
``eval`` means something else in every module of fairseq, imported already or later: a reader of
plain values.
"""

import ast
import importlib.abc
import linecache
import operator
import re
import sys
from collections.abc import Sized
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any, Callable

import fairseq.utils

from ..errors import MemtxError
from . import where

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/1937"

PACKAGES = ("fairseq", "fairseq_cli", "examples")
LONGEST_TEXT = 1_000_000  # characters
MOST_ENTRIES = 100_000  # of a list that is written with * or +
SHOWN = 60  # characters of a refused text
OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Mult: operator.mul,
}


@where(lambda: not hasattr(fairseq.utils, "eval"))
def mend() -> None:
    """Let ``eval`` be `literal` in all of fairseq."""
    for module in list(sys.modules.values()):
        if _is_of_fairseq(module):
            vars(module)["eval"] = literal
    sys.meta_path.insert(0, _LaterModules())


def literal(text: str, *_: Any) -> Any:
    """The value that a text describes, in place of ``eval``; nothing is run.

    Args:
        text: numbers, texts, booleans and None, lists, tuples, sets and dicts of them, and sums and
            products of numbers and lists: ``[(512, 3)] * 20 + [(1024, 3)]``.

    Raises:
        MemtxError: for any other text; names the setting where the calling line shows it.
        TypeError: if it is no text, as ``eval`` does.
    """
    if not isinstance(text, str):
        raise TypeError("eval() arg 1 must be a string")
    try:
        if len(text) > LONGEST_TEXT:
            raise ValueError(text)
        return _value(ast.parse(text.strip(), mode="eval").body)
    except (ValueError, TypeError, SyntaxError, ArithmeticError, MemoryError, RecursionError):
        shown = text if len(text) <= SHOWN else text[:SHOWN] + "..."
        raise MemtxError(
            f"{_setting(sys._getframe(1))}{shown!r} is no plain value, and no text is ever run as "
            "a program: write numbers, texts, lists, tuples or dicts, such as [(512, 3)] * 20"
        ) from None


def _value(node: ast.expr) -> Any:
    if isinstance(node, (ast.List, ast.Tuple)):
        entries = map(_value, node.elts)
        return list(entries) if isinstance(node, ast.List) else tuple(entries)
    operation = OPERATIONS.get(type(node.op)) if isinstance(node, ast.BinOp) else None
    if not isinstance(node, ast.BinOp) or operation is None:
        return ast.literal_eval(node)
    sides = [_value(node.left), _value(node.right)]
    lengths = [len(side) if isinstance(side, Sized) else side for side in sides]
    if lengths != sides and operation(*lengths) > MOST_ENTRIES:
        raise ValueError(f"more than {MOST_ENTRIES} entries")
    return operation(*sides)


def _setting(frame: FrameType | None) -> str:
    """``encoder_layers`` where the calling lines say ``eval(args.encoder_layers)``."""
    for _ in range(2):  # the line that calls, or the one that calls eval_str_list and the like
        if frame is None:
            break
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        found = re.search(r"\beval\w*\(\s*(?:\w+\.)+(\w+)", line)
        if found:
            return f"{found[1]} "
        frame = frame.f_back
    return "the setting "


class _LaterModules(importlib.abc.MetaPathFinder):
    """Gives the same reader to what is imported from now on, before its first line runs."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name.partition(".")[0] not in PACKAGES:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (f.find_spec(name, path, target) for f in others if hasattr(f, "find_spec"))
        spec = next(filter(None, specs), None)
        loader: Any = spec and spec.loader
        if hasattr(loader, "exec_module"):
            loader.exec_module = _with_reader(loader.exec_module)
        return spec


def _with_reader(run: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    def exec_module(module: ModuleType) -> None:
        vars(module)["eval"] = literal
        run(module)

    return exec_module


def _is_of_fairseq(module: ModuleType) -> bool:
    name = getattr(module, "__name__", "")
    if name == "__main__":  # fairseq_cli/validate.py, started by its path or with python -m
        folder = str(getattr(module, "__file__", "")).replace("\\", "/").split("/")[-2:-1]
        return folder == ["fairseq_cli"]
    return str(name).partition(".")[0] in PACKAGES
