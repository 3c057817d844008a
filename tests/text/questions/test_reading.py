"""Reading SQuAD's and HotpotQA's files, whole and broken."""

import copy
import json

import pytest

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.text.questions.reading import read_questions

CONTEXT = "Anna lives in Rome 🙂. Her cat lives there, too."
SQUAD = {
    "version": "1.1",
    "data": [
        {
            "title": "Anna",
            "paragraphs": [
                {
                    "context": CONTEXT,
                    "qas": [
                        {
                            "id": "q1",
                            "question": "Who lives there?",
                            "answers": [
                                {"text": "Her cat", "answer_start": 22},
                                {"text": "cat", "answer_start": 26},
                            ],
                        }
                    ],
                }
            ],
        }
    ],
}
HOTPOTQA = [
    {
        "_id": "h1",
        "question": "Where does Bob's sister live?",
        "answer": "Rome",
        "supporting_facts": [["Bob", 1], ["Anna", 1]],
        "context": [
            ["Italy", ["The capital is Rome.", " It is hot."]],
            ["Anna", ["Anna came from Romeo, not Rome.", " She lives in Rome. "]],
            ["Bob", ["Bob is a cat.", " His sister is Anna."]],
        ],
    }
]


def write(folder, content):
    file = folder / "questions.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def hotpotqa(folder, **fields):
    """`HOTPOTQA` with other fields, read; and the answer in its context."""
    question = read_questions(write(folder, [{**HOTPOTQA[0], **fields}]))[0]
    return question, question.span and question.context[slice(*question.span)]


def test_squad_1_1(tmp_path):
    (question,) = read_questions(write(tmp_path, SQUAD))
    assert question.name == "q1"
    assert question.text == "Who lives there?"
    assert question.context == CONTEXT
    assert question.answers == ["Her cat", "cat"]
    assert question.span == (22, 29)  # characters, not bytes
    assert question.metric == "squad-1.1"
    assert not question.may_be_unanswerable


def test_squad_2_0(tmp_path):
    content = copy.deepcopy(SQUAD)
    qas = content["data"][0]["paragraphs"][0]["qas"]
    qas[0]["is_impossible"] = False
    qas.append({"id": "q2", "question": "Why?", "answers": [], "is_impossible": True})
    known, unknown = read_questions(write(tmp_path, content))
    assert known.span == (22, 29)
    assert (unknown.answers, unknown.span) == ([], None)
    assert known.may_be_unanswerable
    assert unknown.may_be_unanswerable
    assert known.metric == unknown.metric == "squad-2.0"


def test_hotpotqa(tmp_path):
    question, answer = hotpotqa(tmp_path)
    assert question.name == "h1"
    assert question.metric == "hotpotqa"
    assert question.answers == [answer] == ["Rome"]
    assert question.context == (
        "yes no\n"
        "Italy The capital is Rome. It is hot.\n"
        "Anna Anna came from Romeo, not Rome. She lives in Rome.\n"
        "Bob Bob is a cat. His sister is Anna."
    )


def test_both_ways_of_writing_pairs_are_the_same(tmp_path):
    official, _ = hotpotqa(tmp_path)
    titles, sentences = zip(*HOTPOTQA[0]["context"])
    columns = {
        "context": {"title": titles, "sentences": sentences},
        "supporting_facts": {"title": ["Bob", "Anna"], "sent_id": [1, 1]},
    }
    fields = {name: value for name, value in HOTPOTQA[0].items() if name != "_id"}
    other = read_questions(write(tmp_path, [{**fields, "id": "h1", **columns}]))
    assert other == [official]


@pytest.mark.parametrize(
    ("answer", "facts", "before"),
    [
        ("Rome", [["Anna", 1]], "She lives in "),  # the sentence that supports
        ("Rome", [["Anna", 0]], "Romeo, not "),  # not a part of a word
        ("Rome", [["Anna", 5]], "Romeo, not "),  # else the paragraph
        ("Rome", [["Bob", 0]], "The capital is "),  # else anywhere
        ("rome", [["Anna", 1]], "She lives in "),  # else in other letters
        ("hot. Anna", [["Anna", 1]], None),
        ("hot.\nAnna", [["Anna", 1]], "It is "),  # over the edge of a paragraph
        ("talia", [["Anna", 1]], None),
        ("tal", [["Anna", 1]], "I"),  # else a part of a word
    ],
)
def test_where_an_answer_is_found(tmp_path, answer, facts, before):
    question, found = hotpotqa(tmp_path, answer=answer, supporting_facts=facts)
    if before is None:
        assert found is None
    else:
        assert found.lower() == answer.lower()
        assert question.context[: question.span[0]].endswith(before)


@pytest.mark.parametrize("answer", ["yes", "no", "Yes", "NO", "Yes."])
def test_verdicts_are_spans(tmp_path, answer):
    question, found = hotpotqa(tmp_path, answer=answer, question="Is there no cat, yes?")
    assert found == answer.lower().strip(".")
    assert question.span[1] <= len("yes no")


def change(content, *path_and_value):
    """A copy with one value changed, or taken out if it is `...`."""
    *path, last, value = path_and_value
    content = place = copy.deepcopy(content)
    for step in path:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return content


QAS = ("data", 0, "paragraphs", 0, "qas", 0)
PLACE = r"questions.json, 'data', article 1, 'paragraphs', paragraph 1"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"questions": []}, "questions.json holds no questions: it has to be"),
        ([], "questions.json has no questions"),
        ({"data": []}, "questions.json has no questions"),
        ({"data": {}}, r"'data' has to be a list, not \{\}"),
        ([7], "question 1 has to be an object, not 7"),
        (change(SQUAD, "data", 0, "paragraphs", ...), "article 1 has no 'paragraphs': add it"),
        (change(SQUAD, *QAS[:-2], "context", " "), f"{PLACE}, 'context' is empty: fill it in"),
        (change(SQUAD, *QAS, "id", 5), f"{PLACE}, 'qas', question 1, 'id' has to be a text, not 5"),
        (change(SQUAD, *QAS, "question", ...), r"question 1 \(q1\) has no 'question'"),
        (change(SQUAD, *QAS, "answers", "Rome"), r"\(q1\), 'answers' has to be a list"),
        (change(SQUAD, *QAS, "answers", []), r"\(q1\) has no answers and not 'is_impossible'"),
        (
            change(SQUAD, *QAS, "is_impossible", True),
            r"\(q1\) has answers although 'is_impossible'",
        ),
        (
            change(SQUAD, *QAS, "answers", 1, "answer_start", True),
            r"\(q1\), 'answers', answer 2, 'answer_start' has to be a whole number, not true",
        ),
        (
            change(SQUAD, *QAS, "answers", 0, "answer_start", 20),
            r"\(q1\), 'answers', answer 1: 'Her cat' is not at character 20 of the context, but at "
            "22: correct 'answer_start' or 'text'",
        ),
        (
            change(SQUAD, *QAS, "answers", 0, "answer_start", 999),
            "'Her cat' is not at character 999 of the context, but at 22",
        ),
        (
            change(SQUAD, *QAS, "answers", 0, "answer_start", -27),
            "'Her cat' is not at character -27 of the context, but at 22",
        ),
        (
            change(SQUAD, *QAS, "answers", 0, "text", "Her dog"),
            "'Her dog' is not at character 22 of the context, nor elsewhere in it",
        ),
        (HOTPOTQA * 2, "questions.json has the id h1 twice"),
        (change(HOTPOTQA, 0, "_id", ...), "questions.json, question 1 has no 'id'"),
        (change(HOTPOTQA, 0, "answer", ...), r"question 1 \(h1\) has no 'answer'"),
        (change(HOTPOTQA, 0, "context", "x"), r"\(h1\), 'context' has to be a list, not \"x\""),
        (
            change(HOTPOTQA, 0, "context", 1, ["Anna"]),
            r"\(h1\), 'context', entry 2 has 1 parts instead of title and sentences",
        ),
        (
            change(HOTPOTQA, 0, "context", 1, ["Anna", [None]]),
            r"entry 2, part 2, sentence 1 has to be a text, not null",
        ),
        (
            change(HOTPOTQA, 0, "supporting_facts", {"title": ["Bob"], "sent_id": []}),
            r"\(h1\), 'supporting_facts' has lists of 1 and 0 entries",
        ),
    ],
)
def test_malformed_records(tmp_path, content, says):
    with pytest.raises(MemtxError, match=says):
        read_questions(write(tmp_path, content))


def test_files_that_cannot_be_read(tmp_path):
    file = tmp_path / "train.json"
    with pytest.raises(MemtxError, match=r"train.json cannot be read \(No such file"):
        read_questions(file)
    for content in (json.dumps(SQUAD).encode()[:-30], b"\xff\xfe"):
        file.write_bytes(content)
        with pytest.raises(MemtxError, match=r"train.json is not JSON in UTF-8 \(.*cut off"):
            read_questions(file)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[" * 100_000, "lists in lists without end"),
        ('{"a":' * 100_000, "lists in lists without end"),
        ("[" * 100_000 + "]" * 100_000, "lists in lists without end"),
        ("NaN", "holds no questions"),
        ("1" * 5000, "not JSON"),
        (json.dumps(SQUAD).replace('"id"', '"is_impossible": 1, "id"'), "has to be true or false"),
        (json.dumps(SQUAD).replace('"id": "', '"id": "\\ud83d', 1), "half a character"),
    ],
)
def test_json_that_is_hostile(tmp_path, content, says):
    """One line each, whatever the depth, and none that a terminal cannot write."""
    file = tmp_path / "questions.json"
    file.write_text(content)
    with pytest.raises(MemtxError, match=says) as error:
        read_questions(file)
    assert str(error.value).encode("utf-8")
    assert len(str(error.value)) < 500


def test_a_mark_at_the_start_of_json(tmp_path):
    file = tmp_path / "questions.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(SQUAD).encode())
    assert read_questions(file)
