"""``fairseq-memtx report``: the page of one run, or of all in a folder."""

import argparse
import platform
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import fairseq
import numpy
import torch

from .. import __version__
from ..errors import MemtxError
from ..pictures import html_page
from ..pictures.html_page import Part, Section, Table, Text
from . import curves, found_files, settings
from .trained_run import TrainedRun, folders_of_runs

NAME = "report.html"


def make(options: argparse.Namespace) -> None:
    """Write the page by the options of ``fairseq-memtx report``."""
    folder = options.folder
    folders = folders_of_runs(folder)
    if options.log and len(folders) > 1:
        raise MemtxError(f"--log is of one run, and {folder} has {len(folders)}: leave it out")
    runs = [TrainedRun.read(inside) for inside in folders]
    if folders == [folder]:
        sections = _sections(runs[0], options.log)
    else:
        sections = _with(
            Measured=found_files.measurements(folder, folders),
            Samples=found_files.samples(folder, left_out=folders),
            Pictures=found_files.pictures(folder, folders),
        )
        for run in runs:
            name = str(run.folder.relative_to(folder))
            sections.append(Section(name, _sections(run, [])))
    output = options.output or folder / NAME
    html_page.write(
        output,
        options.title or f"Report of {folder.resolve().name}",
        f"Made by fairseq-memtx report, {datetime.now():%d %B %Y, %H:%M}.",
        [*sections, Section("Versions", [versions()])],
    )
    print(f"wrote {output}")


def _sections(run: TrainedRun, logs: list[Path]) -> list[Section]:
    """What is told of one run."""
    log, where_from = curves.curves_of(run, logs)
    drawn: list[Part] = [*curves.pictures(log)] or [Text("There is no value to draw.")]
    return _with(
        Run=[Table("What was trained", ["what", "is"], run.about())],
        Measured=found_files.measurements(run.folder),
        Samples=found_files.samples(run.folder, run),
        Pictures=found_files.pictures(run.folder),
        Curves=[Text(where_from), *drawn],
        Settings=settings.tables(run),
    )


def _with(**parts: Sequence[Part]) -> list[Section]:
    """Sections of what there is."""
    return [Section(heading, found) for heading, found in parts.items() if found]


def versions() -> Table:
    """Of what the page was made with, which a checkpoint does not say of its training."""
    rows = [
        ("fairseq-memtx", __version__),
        ("fairseq", getattr(fairseq, "__version__", "unknown")),
        ("torch", torch.__version__),
        ("numpy", numpy.__version__),
        ("Python", sys.version.split()[0]),
        ("machine", platform.platform()),
    ]
    return Table("With which this page was made", ["what", "version"], rows)
