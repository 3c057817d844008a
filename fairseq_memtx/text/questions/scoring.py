"""Scores of a file of answers, counted as the official scripts of SQuAD and HotpotQA count them."""

import argparse
import json
from pathlib import Path

from ...errors import MemtxError
from ...written_aside import written_aside
from .json_records import Record
from .metrics import METRICS, Score
from .reading import read_questions

HOTPOTQA = "answer"  # what its file of predictions has the answers under, beside supporting facts


def score(options: argparse.Namespace) -> None:
    """Print exact match and F1 of ``answers`` to ``questions``, and write the ``predictions``.

    A question without an answer counts as one that was answered by nothing.
    """
    questions = read_questions(options.questions)
    answers = read_answers(options.answers)
    asked = {question.name for question in questions}
    strange = [name for name in answers if name not in asked]
    if strange:
        raise MemtxError(
            f"{options.answers} answers {strange[0]}, which {options.questions} does not ask: give "
            "the file that was answered"
        )
    said = {question.name: answers.get(question.name, "") for question in questions}
    if options.predictions:
        write_predictions(said, questions[0].metric, options.predictions)
    scores = [METRICS[one.metric](said[one.name], one.answers) for one in questions]
    told(f"{len(questions)} questions", scores)
    if questions[0].may_be_unanswerable:
        for what, answered in (("with an answer", True), ("without one", False)):
            part = [s for one, s in zip(questions, scores) if bool(one.answers) is answered]
            told(f"{len(part)} {what}", part)
    if len(answers) < len(questions):
        print(f"{len(questions) - len(answers)} have no answer in {options.answers}")


def told(what: str, scores: list[Score]) -> None:
    """Print the means of some scores, 0 to 100; nothing of none."""
    if scores:
        exact_match, f1 = (100 * sum(column) / len(scores) for column in zip(*scores))
        print(f"{what}: exact match {exact_match:.2f}, F1 {f1:.2f}")


def read_answers(file: Path) -> dict[str, str]:
    """The answer to each question: of an n-best file the first, or those of a prediction file.

    Refused is what is neither, by file and question.
    """
    record = Record.load(file)
    if HOTPOTQA in record and isinstance(record[HOTPOTQA].value, dict):
        record = record[HOTPOTQA]
    return {name: _first(record[name]) for name in record.names()}


def _first(answer: Record) -> str:
    if isinstance(answer.value, list):
        best = answer.items("answer")
        return best[0]["text"].string() if best else ""
    return answer.string()


def write_predictions(said: dict[str, str], metric: str, file: Path) -> None:
    """A file for the official script; in HotpotQA's, supporting facts are to be there, too."""
    content = {HOTPOTQA: said, "sp": {}} if metric == "hotpotqa" else said
    with written_aside(file) as [partial]:
        partial.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
