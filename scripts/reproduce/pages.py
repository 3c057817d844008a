"""Results as claims.md, claims.json and claims.html, and as the page of the documentation."""

import json
from pathlib import Path
from typing import Any

from fairseq_memtx.pictures.figure import save
from fairseq_memtx.pictures.html_page import Picture, Section, Table, Text, write
from fairseq_memtx.written_aside import written_aside

from .evaluation import ClaimResult, PartResult
from .picture import draw, told
from .records import write_records
from .rule import METHOD, NOT_RUN
from .work import Work

DOTS = 100
INTRODUCTION = f"""\
Every claim is measured by runs that differ in the memory alone, and judged by the rule in its file:
`holds` where the interval of the effect is beyond the smallest effect of interest, `does not hold`
where it excludes such an effect, `mixed` where sub-claims differ, `too small to tell` where the
interval includes both, and `not run` where runs are missing. Intervals:
{METHOD}. Positive is what the claim says.
Models and data are of the size that fits the budget, far below the papers': whatever is said here
is said of this size.
"""
COLUMNS = ("claim", "experiment", "seeds", "effect (95 % interval)", "verdict")
PARTS = ("sub-claim", "seeds", "effect (95 % interval)", "verdict")
SUMMARY = ("claim", "paper", "minutes", "hours", "gpu")


def write_results(
    output: Path, results: dict[str, list[ClaimResult]], work: Work, about: dict[str, Any]
) -> None:
    """Write all files into a folder."""
    shown = _shown(results)
    for budget, found in shown.items():
        for result in found:
            save(draw(result), output / "pictures" / f"{result.claim.name}-{budget}.png", DOTS)
    with written_aside(output / "claims.json", output / "claims.md") as (for_json, for_people):
        for_json.write_text(json.dumps(_records(results, about), indent=1) + "\n", encoding="utf-8")
        for_people.write_text(markdown(results, shown, work), encoding="utf-8")
    write_records(output / "runs.json", _runs(_all(results), work))
    _write_page(output / "claims.html", results, shown, work)


def publish(
    page: Path, runs: Path, results: dict[str, list[ClaimResult]], work: Work, more: str
) -> None:
    """Write the page of the documentation, with ``more`` at its end, and the runs behind it."""
    shown = _shown(results)
    write_records(runs, _runs(_all(results), work))
    with written_aside(page) as (partial,):
        partial.write_text(f"{markdown(results, shown, work)}\n{more}", encoding="utf-8")


def markdown(
    results: dict[str, list[ClaimResult]], shown: dict[str, list[ClaimResult]], work: Work
) -> str:
    """The tables: all verdicts, then each budget's effects."""
    lines = ["# Claims", "", "Written by `bash scripts/reproduce.sh`, never by hand.", ""]
    lines += [INTRODUCTION, *_table(SUMMARY, _summary(results)), ""]
    for budget, found in shown.items():
        lines += [f"## {budget}", "", _circumstances(found, work), ""]
        lines += [*_table(COLUMNS, [_row(result, budget) for result in found]), ""]
    return "\n".join(lines)


def _table(columns: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    told = [[cell.replace("|", "\\|").replace("\n", "<br>") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *told)]


def _summary(results: dict[str, list[ClaimResult]]) -> list[list[str]]:
    """A row a claim, a column a budget."""
    return [
        [same[0].claim.claim, same[0].claim.paper, *(result.verdict for result in same)]
        for same in zip(*results.values())
    ]


def _row(result: ClaimResult, budget: str) -> list[str]:
    claim = result.claim
    command = f"`bash scripts/reproduce.sh --budget {budget} --claims {claim.name}`"
    return [
        f"{claim.claim} ({claim.paper})",
        f"{claim.setting} {command}",
        "\n".join(_seeds(part) for part in result.parts),
        "\n".join(f"{part.part.name}: {said(part)}" for part in result.parts),
        "\n".join([f"**{result.verdict}**", *(
            f"{part.part.name}: {part.verdict}" for part in result.parts if len(result.parts) > 1
        )]),
    ]  # fmt: skip


def _seeds(part: PartResult) -> str:
    if part.part.expect == "equal":
        return "no chance in it"
    return (
        f"{len(part.values)} of {part.seeds}" if part.verdict == NOT_RUN else f"1 to {part.seeds}"
    )


def said(part: PartResult) -> str:
    """The effect of a sub-claim in words."""
    if part.effect is None:
        return f"{NOT_RUN}{f' ({part.why})' if part.why else ''}"
    found, wanted = part.effect, part.part
    if wanted.expect == "equal":
        most = f", give or take {wanted.by:g}" if wanted.by else ""
        return f"{part.values[0][0]:g} {wanted.measure} ({part.values[0][1]:g} is wanted{most})"
    if found.low is None:
        interval = "one seed: no interval"
    else:
        interval = f"{found.low:+.3g} to {found.high:+.3g}"
    why = f"; {NOT_RUN}: {part.why}" if part.verdict == NOT_RUN and part.why else ""
    border = -wanted.by if wanted.expect == "no-worse" else wanted.by
    return f"{found.mean:+.3g} {wanted.measure} ({interval}; more than {border:g} is wanted{why})"


def _shown(results: dict[str, list[ClaimResult]]) -> dict[str, list[ClaimResult]]:
    """Claims of which something was run, under the budgets that have any."""
    some = {
        budget: [result for result in found if any(part.values for part in result.parts)]
        for budget, found in results.items()
    }
    return {budget: found for budget, found in some.items() if found}


def _circumstances(found: list[ClaimResult], work: Work) -> str:
    """Commits, machines and time of all runs behind a table."""
    runs = _runs(found, work)
    seconds = sum(done["seconds"] for done in runs.values())
    commits = ", ".join(sorted({done["commit"] for done in runs.values()}))
    machines = "; ".join(sorted({done["machine"] for done in runs.values()}))
    last = max(done["finished"] for done in runs.values())
    return (
        f"{len(runs)} runs, {seconds / 60:.0f} minutes one after the other; "
        f"commit {commits}; {machines}; last finished {last}."
    )


def _all(results: dict[str, list[ClaimResult]]) -> list[ClaimResult]:
    return [result for found in results.values() for result in found]


def _runs(found: list[ClaimResult], work: Work) -> dict[str, dict[str, Any]]:
    """What is known of the runs that claims compare, by their names."""
    names = {run for result in found for part in result.parts for run in part.runs}
    records = {name: work.finished_by_name(name) for name in names}
    return {name: record for name, record in records.items() if record}


def _records(results: dict[str, list[ClaimResult]], about: dict[str, Any]) -> dict[str, Any]:
    claims = {}
    for budget, found in results.items():
        for result in found:
            claim = result.claim
            record = claims.setdefault(
                claim.name, {"claim": claim.claim, "paper": claim.paper, "setting": claim.setting}
            )
            record[budget] = {
                "verdict": result.verdict,
                "seeds": claim.seeds.get(budget),
                "parts": [part.record() for part in result.parts],
            }
    return {"method": METHOD, **about, "claims": claims}


def _write_page(
    path: Path,
    results: dict[str, list[ClaimResult]],
    shown: dict[str, list[ClaimResult]],
    work: Work,
) -> None:
    """The page with pictures."""
    sections = [
        Section(
            "Verdicts", [Table("A row a claim, a column a budget.", SUMMARY, _summary(results))]
        )
    ]
    for budget, found in shown.items():
        parts: list[Any] = [Text(_circumstances(found, work))]
        for result in found:
            rows = [
                [part.part.name, _seeds(part), said(part), part.verdict] for part in result.parts
            ]
            about = f"{result.claim.setting} {result.claim.paper}."
            words = told(result)
            picture = Picture.of_figure(draw(result), alt=words, caption=words)
            table = Table(f"Verdict: {result.verdict}", PARTS, rows)
            parts.append(Section(result.claim.claim, [Text(about), table, picture]))
        sections.append(Section(f"Budget: {budget}", parts))
    write(path, "What the papers claim, measured", " ".join(INTRODUCTION.split()), sections)
