"""What lies in a folder beside its checkpoints: pictures, measurements, texts that were written.

*.png *.svg ...      pictures
*.jsonl              measurements, a line each, as ``--length-curve-file`` writes them
CHECKPOINT.SET.txt   translations of a set, as ``examples/translation/score.sh`` writes them
*.txt                other texts, and what ``fairseq-generate`` prints
"""

import json
import re
from collections.abc import Collection
from itertools import islice
from pathlib import Path
from typing import Any

from ..pictures.html_page import PICTURES, Picture, Table, Verbatim
from .trained_run import TrainedRun

FEW = 10  # samples, or lines
LONGEST = 400  # characters of a line
GENERATED = re.compile(r"([STD])-(\d+)\t(?:[^\t\n]*\t)?([^\t\n]*)\n")


def pictures(folder: Path, left_out: Collection[Path] = ()) -> list[Picture]:
    """All of a folder and the folders in it but those left out; one that is there twice, once."""
    kinds = list(PICTURES)
    by_name: dict[Path, Path] = {}
    for path in _files(folder, left_out, *PICTURES):
        best = by_name.setdefault(path.with_suffix(""), path)
        if kinds.index(path.suffix.lower()) < kinds.index(best.suffix.lower()):
            by_name[path.with_suffix("")] = path
    return [
        Picture.of_file(path, f"{_words(path.stem)}: a picture of this run", _name(path, folder))
        for path in by_name.values()
    ]


def measurements(folder: Path, left_out: Collection[Path] = ()) -> list[Table]:
    """A table a file, its columns by the names of the first line."""
    tables = []
    for path in _files(folder, left_out, ".jsonl"):
        points = [point for line in _lines(path) if (point := _point(line))]
        if points:
            names = list(points[0])
            rows = [[_shown(point.get(name)) for name in names] for point in points]
            tables.append(Table(_name(path, folder), list(map(_words, names)), rows))
    return tables


def samples(
    folder: Path, run: TrainedRun | None = None, left_out: Collection[Path] = ()
) -> list[Table | Verbatim]:
    """The first few of every text; ``run`` is whose checkpoints lie in the folder."""
    paths = _files(folder, left_out, ".txt")
    return [_sample(folder, path, run) for path in paths if not path.name.startswith("dict.")]


def _sample(folder: Path, path: Path, run: TrainedRun | None) -> Table | Verbatim:
    name, lines = _name(path, folder), _lines(path)
    generated: dict[int, dict[str, str]] = {}
    for kind, number, text in GENERATED.findall("".join(f"{line}\n" for line in lines)):
        generated.setdefault(int(number), {})[kind] = text
    raw = _raw_texts(run, path) if run else []
    if generated:
        rows = [[found.get(kind, "") for kind in "SDT"] for found in generated.values()]
    elif raw:
        source, reference = map(_lines, raw)
        rows = [list(row) for row in zip(source, lines, reference)]
    else:
        shown = "\n".join(line[:LONGEST] for line in lines[:FEW])
        return Verbatim(f"{name}\n\n{shown}")
    return Table(name, ["source", "translation", "reference"], rows[:FEW])


def _raw_texts(run: TrainedRun, path: Path) -> list[Path]:
    """Source and reference of the set that a file of translations is named after."""
    split = re.search(r"\.pt\.(\w+)\.txt$", path.name)
    data = run.setting("task", "data")
    languages = run.setting("task", "source_lang"), run.setting("task", "target_lang")
    if not split or not data or not all(languages):
        return []
    texts = [Path(data) / "raw" / f"{split[1]}.{language}" for language in languages]
    return texts if all(map(Path.is_file, texts)) else []


def _files(folder: Path, left_out: Collection[Path], *endings: str) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in endings and path.is_file() and not {*path.parents} & {*left_out}
    )


def _lines(path: Path) -> list[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        return [line.rstrip("\n") for line in islice(file, 50 * FEW)]


def _point(line: str) -> dict[str, Any]:
    try:
        point = json.loads(line)
    except ValueError:
        return {}
    return point if isinstance(point, dict) else {}


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _name(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder))


def _words(name: str) -> str:
    return re.sub(r"[-_.]+", " ", name).strip()
