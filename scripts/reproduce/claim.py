"""A claim: a file that says what is claimed, which runs are compared, and by which rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fairseq_memtx.errors import MemtxError

from .rule import KINDS
from .runs import Experiments, Run

BUDGETS = ("minutes", "hours", "gpu")
NEEDED = ("claim", "paper", "setting", "seeds", "runs", "rule")


@dataclass(frozen=True)
class Part:
    """A sub-claim: a measure of one run against that of another, or against a number."""

    name: str
    expect: str  # one of rule.KINDS
    measure: str
    of: str
    than: str | float
    by: float  # the smallest effect of interest, in the unit of the measure
    lower: bool  # whether less is better
    budgets: tuple[str, ...]
    than_measure: str  # where it is another than ``measure``


@dataclass(frozen=True)
class Claim:
    """A claim; ``name`` is that of its file."""

    name: str
    claim: str
    paper: str
    setting: str
    seeds: Mapping[str, int]
    runs: Mapping[str, Mapping[str, Any]]
    parts: list[Part]

    def pairs(self, part: Part, experiments: Experiments) -> list[tuple[Run, Run | None]]:
        """The runs that a sub-claim compares, a pair a seed; None where it is a number."""
        seeds = 1 if part.expect == "equal" or experiments.quick else self.seeds[experiments.budget]
        return [
            (
                experiments.run(self.runs[part.of], seed),
                experiments.run(self.runs[part.than], seed) if isinstance(part.than, str) else None,
            )
            for seed in range(1, seeds + 1)
        ]


def read_claims(folders: list[Path], names: list[str]) -> list[Claim]:
    """All claims of the folders, or those with these names, in that order."""
    paths = {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}
    unknown = [name for name in names if name not in paths]
    if unknown:
        raise MemtxError(f"--claims {','.join(unknown)}: there are {', '.join(paths)}")
    return [read_claim(paths[name]) for name in names or paths]


def read_claim(path: Path) -> Claim:
    """A claim's file.

    Raises:
        MemtxError: if it says too little, or something that nobody understands.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as cause:
        raise MemtxError(f"{path} is no YAML: {' '.join(str(cause).split())}") from cause
    missing = [key for key in NEEDED if key not in (content or {})]
    if missing:
        raise MemtxError(f"{path} does not say: {', '.join(missing)}")
    parts = [_part(path, entry, content["runs"]) for entry in content["rule"]]
    said = {key: " ".join(str(content[key]).split()) for key in ("claim", "paper", "setting")}
    return Claim(path.stem, **said, seeds=content["seeds"], runs=content["runs"], parts=parts)


def _part(path: Path, entry: Mapping[str, Any], runs: Mapping[str, Any]) -> Part:
    missing = [key for key in ("expect", "measure", "of", "than") if key not in entry]
    if missing:
        raise MemtxError(f"{path}: a rule does not say: {', '.join(missing)}")
    than = entry["than"]
    for run in (entry["of"], than):
        if isinstance(run, str) and run not in runs:
            raise MemtxError(f"{path}: '{run}' is none of its runs: {', '.join(runs)}")
    if entry["expect"] not in KINDS:
        raise MemtxError(f"{path}: expect {entry['expect']}: use {', '.join(KINDS)}")
    return Part(
        name=entry.get("name", f"{entry['measure']}, {entry['of']}"),
        expect=entry["expect"],
        measure=entry["measure"],
        of=entry["of"],
        than=than if isinstance(than, str) else float(than),
        by=float(entry.get("by", 0)),
        lower=bool(entry.get("lower", False)),
        budgets=tuple(entry.get("budgets", BUDGETS)),
        than_measure=entry.get("than-measure", entry["measure"]),
    )
