"""Questions about documents, read from the JSON files of SQuAD (1.1 and 2.0) and HotpotQA.

SQuAD says where an answer stands. HotpotQA only says what it is: it is searched for, first where
the supporting facts are. ``yes`` and ``no``, which stand nowhere, are put in front of the context
of every HotpotQA question, so that all answers are parts of the text.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from ...errors import MemtxError
from .json_records import Record
from .metrics import normalise

VERDICTS = "yes no"


@dataclass(frozen=True)
class Question:
    """A question, the text that is to answer it, and what counts as right."""

    name: str  # its id in the file
    text: str  # of the question
    context: str  # the document
    answers: list[str]  # all that count as right; none, if the context does not tell
    span: tuple[int, int] | None  # characters ``[start, end)`` of an answer, if it has one
    metric: str  # one of `metrics.METRICS`

    @property
    def may_be_unanswerable(self) -> bool:
        """Whether "no answer" is an answer, as it is in SQuAD 2.0."""
        return self.metric == "squad-2.0"


def read_questions(file: Path) -> list[Question]:
    """Read a file of any of the formats.

    What is missing, an answer that is not where it is said to be, and an id of two questions are
    refused by file and question.
    """
    content = Record.load(file)
    if isinstance(content.value, list):
        questions = [_hotpotqa(record) for record in content.items("question")]
    elif isinstance(content.value, dict) and "data" in content:
        questions = list(_squad(content))
    else:
        raise MemtxError(
            f"{file} holds no questions: it has to be an object with 'data' as of SQuAD, or a list "
            "as of HotpotQA"
        )
    if not questions:
        raise MemtxError(f"{file} has no questions: put some there")
    names: set[str] = set()
    for question in questions:
        if question.name in names:
            raise MemtxError(f"{file} has the id {question.name} twice: change one of the two")
        names.add(question.name)
    return questions


def _squad(content: Record) -> Iterator[Question]:
    for article in content["data"].items("article"):
        for paragraph in article["paragraphs"].items("paragraph"):
            context = paragraph["context"].text()
            for record in paragraph["qas"].items("question"):
                yield _squad_question(record, context)


def _squad_question(record: Record, context: str) -> Question:
    name = record["id"].text()
    record.where += f" ({name})"
    spans = [_squad_span(answer, context) for answer in record["answers"].items("answer")]
    metric = "squad-2.0" if "is_impossible" in record else "squad-1.1"
    impossible = metric == "squad-2.0" and record["is_impossible"].truth()
    if impossible == bool(spans):
        raise MemtxError(
            f"{record.where} "
            + ("has answers although" if impossible else "has no answers and not")
            + " 'is_impossible': true: correct one of the two"
        )
    answers = [context[start:end] for start, end in spans]
    span = spans[0] if spans else None
    return Question(name, record["question"].text(), context, answers, span, metric)


def _squad_span(answer: Record, context: str) -> tuple[int, int]:
    text, start = answer["text"].text(), answer["answer_start"].number()
    end = start + len(text)
    if start < 0 or context[start:end] != text:
        found = context.find(text)
        place = f"but at {found}" if found >= 0 else "nor elsewhere in it"
        raise MemtxError(
            f"{answer.where}: {text!r} is not at character {start} of the context, {place}: "
            "correct 'answer_start' or 'text'"
        )
    return start, end


def _hotpotqa(record: Record) -> Question:
    name = record["_id" if "_id" in record else "id"].text()
    record.where += f" ({name})"
    facts = {
        (title.string(), number.number())
        for title, number in _pairs(record["supporting_facts"], "title", "sent_id")
    }
    titles = {title for title, _ in facts}
    context = VERDICTS
    places: list[tuple[int, int, int]] = []  # remoteness from the facts, first and last character
    for title_record, sentences in _pairs(record["context"], "title", "sentences"):
        title = title_record.string()
        for number, text in enumerate([title_record, *sentences.items("sentence")], start=-1):
            start = len(context) + 1
            context += ("\n" if number < 0 else " ") + text.string().strip()
            remoteness = 0 if (title, number) in facts else 1 if title in titles else 2
            places.append((remoteness, start, len(context)))
    answer = record["answer"].text().strip()
    verdict = normalise(answer)  # as the metric has it, which takes "Yes" for one
    if verdict in VERDICTS.split():
        start = VERDICTS.index(verdict)
        span: tuple[int, int] | None = (start, start + len(verdict))
    else:
        places.append((3, len(VERDICTS), len(context)))
        span = _find(answer, context, [place[1:] for place in sorted(places)])
    return Question(name, record["question"].text(), context, [answer], span, "hotpotqa")


def _pairs(record: Record, *columns: str) -> list[tuple[Record, Record]]:
    """A list of pairs, or an object with two lists of these names."""
    if isinstance(record.value, dict):
        lists = [record[name].items("entry") for name in columns]
        if len(lists[0]) != len(lists[1]):
            lengths = " and ".join(str(len(entries)) for entries in lists)
            raise MemtxError(f"{record.where} has lists of {lengths} entries: make them equal")
        return list(zip(*lists))
    pairs = []
    for entry in record.items("entry"):
        parts = entry.items("part")
        if len(parts) != 2:
            raise MemtxError(
                f"{entry.where} has {len(parts)} parts instead of {' and '.join(columns)}: "
                "correct it"
            )
        pairs.append((parts[0], parts[1]))
    return pairs


def _find(answer: str, context: str, places: list[tuple[int, int]]) -> tuple[int, int] | None:
    """The first place with the answer in whole words; without any, the first in any letters."""
    exact, words = re.escape(answer), rf"(?<!\w){re.escape(answer)}(?!\w)"
    for pattern in (re.compile(words), re.compile(words, re.IGNORECASE), re.compile(exact)):
        for start, end in places:
            found = pattern.search(context, start, end)
            if found:
                return found.span()
    return None
