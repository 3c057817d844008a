"""``fairseq-memtx score-answers``: what the official scripts would print."""

import json

import pytest
from conftest import memtx
from question_files import hotpotqa, squad, write

ANSWERS = {
    "Lighthouses-0-0": "in 1827",  # half right
    "Lighthouses-0-1": "The 19.3 m!",  # right, as metrics leave articles and marks out
    "Lighthouses-1-0": "Ada",
    "Bridges-0-0": "Kern",
    "Bridges-0-1": "Elbe",
}


def scored(folder, content, answers, capsys, *flags) -> list[str]:
    questions, answered = write(folder / "q.json", content), write(folder / "a.json", answers)
    assert memtx("score-answers", questions, answered, *flags) == 0
    return capsys.readouterr().out.splitlines()


def test_squad_1_1(tmp_path, capsys):
    assert scored(tmp_path, squad(), ANSWERS, capsys) == [
        # 2 of 6 exactly; 2/3 + 1 + 2/3 + 2/3 + 1 + 0 of F1
        "6 questions: exact match 33.33, F1 66.67",
        f"1 have no answer in {tmp_path}/a.json",
    ]


def test_squad_2_0_tells_the_two_kinds_apart(tmp_path, capsys):
    answers = {**ANSWERS, "Bridges-none": "the mayor", "Clocks-none": ""}
    assert scored(tmp_path, squad("2.0"), answers, capsys) == [
        "9 questions: exact match 44.44, F1 66.67",
        "6 with an answer: exact match 33.33, F1 66.67",
        "3 without one: exact match 66.67, F1 66.67",
        f"2 have no answer in {tmp_path}/a.json",
    ]


def test_an_n_best_file_counts_by_its_first_answers(tmp_path, capsys):
    best = {
        name: [{"text": text, "probability": 0.5, "start": 0, "end": 1}, {"text": "1827"}]
        for name, text in ANSWERS.items()
    }
    best["Clocks-0-0"] = []  # where no span is possible
    line = "6 questions: exact match 33.33, F1 66.67"
    assert scored(tmp_path, squad(), best, capsys) == [line]


def test_hotpotqa_and_its_file_of_predictions(tmp_path, capsys):
    answers = {"h0": "in 1827", "h1": "yes", "h2": "no"}
    file = tmp_path / "p.json"
    lines = scored(tmp_path, hotpotqa(), answers, capsys, "--predictions", file)
    assert lines == ["3 questions: exact match 33.33, F1 55.56"]
    assert json.loads(file.read_text()) == {"answer": answers, "sp": {}}
    assert scored(tmp_path, hotpotqa(), json.loads(file.read_text()), capsys) == lines


def test_predictions_of_squad(tmp_path, capsys):
    file = tmp_path / "p.json"
    best = {name: [{"text": text}] for name, text in ANSWERS.items()}
    scored(tmp_path, squad(), best, capsys, "--predictions", file)
    assert json.loads(file.read_text()) == {**ANSWERS, "Clocks-0-0": ""}


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"h9": "1827"}, "a.json answers h9, which {}/q.json does not ask: give the file"),
        ({"h0": 1827}, "a.json, 'h0' has to be a text, not 1827: correct it"),
        ({"h0": [{"start": 3}]}, "a.json, 'h0', answer 1 has no 'text': add it"),
        (["1827"], "a.json has to be an object, not"),
    ],
)
def test_answers_that_are_none(answers, says, tmp_path, capsys):
    files = write(tmp_path / "q.json", hotpotqa()), write(tmp_path / "a.json", answers)
    assert memtx("score-answers", *files) == 1
    assert says.format(tmp_path) in capsys.readouterr().err
