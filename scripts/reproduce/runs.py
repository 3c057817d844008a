"""A run: the commands of an experiment with all values put in, and what is read from their logs."""

import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from fairseq_memtx.errors import MemtxError

PLACE = re.compile(r"\{(\w+)\}")
LEFT_OPEN = ("folder", "corpus")  # until it is known where a run is done
DEVICE = {"minutes": "--cpu", "hours": "--cpu", "gpu": ""}
# Enough to see that the commands run.
QUICK = {
    "updates": 4, "more": 4, "documents": 200, "examples": 4, "far": 2, "valid": 16, "longest": 8,
    "seconds": 15,
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What is done once, however many claims want it."""

    experiment: str
    steps: Mapping[str, str]  # name of a step: its command, whose output goes to STEP.log
    measures: Mapping[str, Mapping[str, str]]  # name: file in the folder, and a pattern to find
    seconds: float  # about what it takes on one core
    place: str = "cpu"  # or "gpu": what was done on one is not done on the other
    corpus: str = ""  # a folder of text that the user has to give
    needs: Mapping[str, "Run"] = field(default_factory=dict)  # by the names that commands call them

    @cached_property
    def name(self) -> str:
        """Of its folder: the same commands have the same."""
        needed = {name: run.name for name, run in self.needs.items()}
        told = json.dumps([self.place, dict(self.steps), needed], sort_keys=True)
        return f"{self.experiment}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"

    def commands(self, folder: Path, corpora: Path | None) -> dict[str, str]:
        """The steps, for runs that are done in ``folder``."""
        values = {name: str(folder / run.name) for name, run in self.needs.items()}
        values |= {"folder": str(folder / self.name), "corpus": f"{corpora}/{self.corpus}"}
        values = {name: shlex.quote(path) for name, path in values.items()}
        return {step: filled(command, values) for step, command in self.steps.items()}

    def read(self, folder: Path) -> dict[str, float]:
        """What was measured in its folder: the last that each pattern finds."""
        found = {}
        for name, measure in self.measures.items():
            path = folder / measure["file"]
            numbers = re.findall(
                measure["find"], path.read_text(encoding="utf-8", errors="replace")
            )
            if not numbers:
                raise MemtxError(f"{path} has no {name}")
            try:
                found[name] = float(numbers[-1])
            except ValueError:
                raise MemtxError(f"{path} has '{numbers[-1]}' as {name}: no number") from None
        return found


class Experiments:
    """Experiments by name: files in folders, the first folder that has one."""

    def __init__(self, folders: list[Path], budget: str, quick: bool = False) -> None:
        self.folders, self.budget, self.quick = folders, budget, quick
        self._contents: dict[str, dict[str, Any]] = {}  # a file is asked for by every seed

    def run(self, wanted: Mapping[str, Any], seed: int) -> Run:
        """A run that a claim wants: the name of an experiment, and values that differ from its own.

        The budget's values replace the experiment's, and the claim's replace both.
        """
        name = wanted["experiment"]
        if name not in self._contents:
            self._contents[name] = self._content(name)
        content = self._contents[name]
        values = {
            **content.get("values", {}),
            **(content.get(self.budget) or {}),
            **{key: value for key, value in wanted.items() if not isinstance(value, dict)},
            **(wanted.get(self.budget) or {}),
            **(QUICK if self.quick else {}),
            "seed": seed,
            "device": DEVICE[self.budget],
        }
        values.pop("experiment")
        needs = {
            called: self.run({key: filled(value, values) for key, value in need.items()}, seed)
            for called, need in content.get("needs", {}).items()
        }
        left_open = {name: f"{{{name}}}" for name in (*LEFT_OPEN, *needs)}
        steps = {
            step: filled(command, values | left_open) for step, command in content["steps"].items()
        }
        return Run(
            name, steps, content.get("measures", {}), float(values.get("seconds", 60)),
            "gpu" if self.budget == "gpu" else "cpu", content.get("corpus", ""), needs,
        )  # fmt: skip

    def _content(self, name: str) -> dict[str, Any]:
        for folder in self.folders:
            path = folder / "experiments" / f"{name}.yaml"
            if path.exists():
                content = yaml.safe_load(path.read_text(encoding="utf-8"))
                if not isinstance(content, dict) or "steps" not in content:
                    raise MemtxError(f"{path} has no steps: see scripts/claims/experiments")
                return content
        raise MemtxError(
            f"there is no experiment {name}.yaml in "
            f"{' or '.join(f'{folder}/experiments' for folder in self.folders)}"
        )


def filled(text: Any, values: Mapping[str, Any]) -> str:
    """A text with values in place of their names in braces; values may have such names, too."""

    def value(place: re.Match[str]) -> str:
        if place[1] not in values:
            raise MemtxError(f"nothing says what {place[0]} is in '{text}'")
        found = str(values[place[1]])
        return found if found == place[0] else filled(found, values)

    return PLACE.sub(value, " ".join(str(text).split()))
