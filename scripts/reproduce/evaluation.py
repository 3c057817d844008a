"""What finished runs say of claims."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .claim import BUDGETS, Claim, Part
from .rule import NOT_RUN, Effect, effect, together, verdict
from .runs import Experiments, Run
from .work import Work


@dataclass
class PartResult:
    """A sub-claim, judged."""

    part: Part
    verdict: str
    seeds: int  # pairs that were wanted
    effect: Effect | None = None  # of the pairs that there are
    values: list[tuple[float, float]] = field(default_factory=list)  # measured, compared with
    why: str = ""  # it was not run
    runs: list[str] = field(default_factory=list)  # names of folders

    def record(self) -> dict[str, Any]:
        """For a JSON file."""
        found = {"name": self.part.name, "expect": self.part.expect, "measure": self.part.measure,
                 "of": self.part.of, "than": self.part.than, "smallest effect": self.part.by,
                 "less is better": self.part.lower, "verdict": self.verdict,
                 "pairs": len(self.values), "pairs wanted": self.seeds, "why": self.why,
                 "values": self.values, "runs": self.runs}  # fmt: skip
        return found | (self.effect._asdict() if self.effect else {})


@dataclass
class ClaimResult:
    """A claim under one budget."""

    claim: Claim
    verdict: str
    parts: list[PartResult]


def evaluate(claim: Claim, experiments: Experiments, work: Work) -> ClaimResult:
    """Judge a claim by the runs that are finished."""
    parts = [
        _judge(part, claim.pairs(part, experiments), work)
        for part in claim.parts
        if experiments.budget in part.budgets
    ]
    return ClaimResult(claim, together([part.verdict for part in parts]), parts)


def wanted_runs(claim: Claim, experiments: Experiments) -> list[Run]:
    """All runs that a claim's verdict needs, without what they need themselves."""
    found = {}
    for part in claim.parts:
        if experiments.budget in part.budgets:
            for pair in claim.pairs(part, experiments):
                found |= {run.name: run for run in pair if run}
    return list(found.values())


def _judge(part: Part, pairs: list[tuple[Run, Run | None]], work: Work) -> PartResult:
    """Compare pairs; a pair of which a run is missing leaves the sub-claim without a verdict."""
    result = PartResult(part, NOT_RUN, len(pairs))
    sign = -1 if part.lower else 1
    for of, than in pairs:
        result.runs += [run.name for run in (of, than) if run]
        left = work.finished(of)
        right = work.finished(than) if than else {"measures": {part.than_measure: part.than}}
        if left and right:
            result.values.append(
                (left["measures"][part.measure], right["measures"][part.than_measure])
            )
        elif not result.why:
            result.why = next(filter(None, (_why(run, work) for run in (of, than) if run)), "")
    if result.values:
        result.effect = effect([sign * (a - b) for a, b in result.values])
        if len(result.values) == len(pairs):
            result.verdict, result.why = verdict(part.expect, result.effect, part.by), ""
    return result


def _why(run: Run, work: Work) -> str:
    """Why a run is not finished."""
    if corpus := work.missing(run):
        return f"needs --data FOLDER with {corpus} in it"
    if failed := work.failed(run):
        return f"failed: {failed}"
    return ""


def all_budgets(
    claims: list[Claim], folders: list[Path], work: Work, quick: bool
) -> dict[str, list[ClaimResult]]:
    """What is known of claims under each budget."""
    experiments = {budget: Experiments(folders, budget, quick) for budget in BUDGETS}
    return {
        budget: [evaluate(claim, found, work) for claim in claims]
        for budget, found in experiments.items()
    }
