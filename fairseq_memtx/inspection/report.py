"""A folder with all that was measured of a checkpoint: numbers, pictures, and a page of both.

Every part gets a ``.json``, a ``.png`` and an ``.svg``; ``index.html`` shows them all. A part that
makes no sense for the model or the set is told in a line, and the others are made all the same.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import fairseq
import torch
from matplotlib import rc_context
from matplotlib.figure import Figure

from .. import __version__
from ..errors import MemtxError
from ..pictures.figure import save
from ..pictures.html_page import Picture, Section, Table, Text, write
from ..written_aside import written_aside
from . import trained_model
from .parts import PARTS, Wanted
from .trained_model import NotMeasured

PICTURES = f"{__package__.rpartition('.')[0]}.pictures.inspection"
DOTS = 110  # an inch
DIGITS = 6  # of a number in a file


def inspect(options: argparse.Namespace) -> None:
    """Measure by the options of ``fairseq-memtx inspect``."""
    chosen = options.parts.split(",") if options.parts else list(PARTS)
    unknown = [name for name in chosen if name not in PARTS]
    if unknown:
        raise MemtxError(f"--parts {','.join(unknown)}: use some of {','.join(PARTS)}")
    folder = options.output
    if folder.exists() and not folder.is_dir():
        raise MemtxError(f"--output {folder} is a file: give a folder")
    trained = trained_model.load(
        options.checkpoint, options.data, options.subset, options.examples, options.batch_size
    )
    wanted = Wanted(
        trained, options.layers, options.heads, options.beam, options.example, options.text
    )
    sections = []
    for name in chosen:
        if PARTS[name].fits(trained):
            sections.append(_section(name, wanted, folder))
    write(folder / "index.html", f"Memory of {options.checkpoint.name}", _about(options, wanted),
          sections)  # fmt: skip
    print(f"wrote {folder}/index.html: {', '.join(section.heading for section in sections)}")


def _section(name: str, wanted: Wanted, folder: Path) -> Section:
    """Measure a part, write its files and show them."""
    part = PARTS[name]
    try:
        found = part.measure(wanted)
        picture = import_module(f"{PICTURES}.{name}")
        figures = list(_drawn(name, picture, found))
    except NotMeasured as cause:
        print(f"{name}: left out: {cause}", file=sys.stderr)
        return Section(part.heading, [Text(f"Left out: {cause}.")])
    with written_aside(folder / f"{name}.json") as (partial,):
        partial.write_text(json.dumps(_rounded(found), ensure_ascii=False, indent=1) + "\n")
    shown: list[Text | Table | Picture] = [Text(picture.METHOD)]
    for file, figure, words in figures:
        with rc_context({"svg.fonttype": "none"}):
            for ending in (".png", ".svg"):
                save(figure, folder / f"{file}{ending}", DOTS)
        shown.append(Picture.of_file(folder / f"{file}.svg", alt=words, caption=words))
    return Section(part.heading, [*shown, *picture.tables(found)])


def _drawn(name: str, picture: Any, found: dict[str, Any]) -> Iterator[tuple[str, Figure, str]]:
    """Names of files, figures and what they show."""
    for suffix, of_picture in picture.pictures(found).items():
        file = f"{name}-{suffix.replace(' ', '-')}" if suffix else name
        yield file, picture.draw(of_picture), picture.told(of_picture)


def _rounded(found: Any) -> Any:
    """The same with numbers of a few digits; what is no number is None."""
    if isinstance(found, dict):
        return {name: _rounded(value) for name, value in found.items()}
    if isinstance(found, (list, tuple)):
        return [_rounded(value) for value in found]
    if isinstance(found, float):
        return float(f"{found:.{DIGITS}g}") if found - found == 0 else None
    return found


def _about(options: argparse.Namespace, wanted: Wanted) -> str:
    """What was inspected, in a paragraph."""
    trained = wanted.trained
    cfg, dataset = trained.cfg, trained.task.dataset(trained.split)
    limit = "" if options.examples is None else f", the first {options.examples} of them"
    what = "tokens" if trained.reads_text else "examples"
    return (
        f"{options.checkpoint}: {getattr(cfg.model, 'arch', None) or cfg.model._name}, "
        f"{trained.memory_tokens} memory tokens, trained on the task {cfg.task._name} with seed "
        f"{cfg.common.seed}. Read: the set '{trained.split}' of {len(dataset):,} {what}{limit}. "
        f"Made by fairseq_memtx {__version__}, fairseq {fairseq.__version__}, torch "
        f"{torch.__version__}."
    )
