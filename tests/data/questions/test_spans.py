"""The best spans, against trying them all; and the file of them."""

import json
import math

import pytest
import torch
from fairseq.data import Dictionary

from fairseq_memtx.data.questions.spans import Answer, AnswersFile, best_answers
from fairseq_memtx.data.questions.windows import EncodedText, TextEncoder, cut
from fairseq_memtx.errors import MemtxError
from fairseq_memtx.text.questions.reading import Question

CONTEXT = "one two three four five six seven eight nine ten"


def asked(metric="squad-1.1", context=CONTEXT, encode=None):
    """A question of windows of 4 words, of which 2 are in the next, too."""
    question = Question("q", "why ?", context, [], None, metric)
    return next(cut([question], encode or TextEncoder(Dictionary()), 10, 2))


def random_scores(question):
    length = question.context_offset + 5
    shape = (2, len(question.windows), length)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)).log_softmax(dim=-1)


@pytest.mark.parametrize("longest", [1, 3, 30])
def test_the_best_of_all_spans(longest):
    question = asked()
    assert len(question.windows) == 4
    scores = random_scores(question)
    expected: dict[str, float] = {}
    words = CONTEXT.split()
    for window, (first, last) in enumerate(question.windows):
        for start in range(first, last):
            for end in range(start, min(last, start + longest)):
                text = " ".join(words[start : end + 1])
                place = question.context_offset - first
                score = scores[0, window, place + start] + scores[1, window, place + end]
                expected[text] = max(expected.get(text, 0.0), score.exp().item())
    answers = best_answers(question, scores, longest, count=7)
    best = sorted(expected, key=expected.__getitem__, reverse=True)[:7]
    assert [answer.text for answer in answers] == best
    for answer in answers:
        assert CONTEXT[answer.start : answer.end] == answer.text
        assert answer.probability == pytest.approx(expected[answer.text])


def test_neither_question_nor_frame_is_an_answer():
    question = asked()
    scores = torch.full((2, 4, question.context_offset + 5), -9.0)
    scores[:, :, : question.context_offset] = 0.0  # <s>, question and separators
    scores[:, :, question.context_offset + 4] = 0.0  # </s> after the context
    answers = best_answers(question, scores, 3, count=100)
    assert answers
    assert all(answer.probability == pytest.approx(math.exp(-18)) for answer in answers)


def test_answers_are_whole_words():
    """A model may point into the middle of a word; its letters are not taken apart."""

    class Letters(TextEncoder):
        def __call__(self, text):
            words = super().__call__(text)
            return EncodedText(*(part.repeat(2) for part in vars(words).values()))

    question = asked(context="one two", encode=Letters(Dictionary()))
    answers = best_answers(question, random_scores(question), 9, count=100)
    assert sorted(answer.text for answer in answers) == ["one", "one two", "two"]


def test_no_answer():
    """It counts as much as in the window that is least sure of it, and only in SQuAD 2.0."""
    question = asked("squad-2.0")
    scores = torch.full((2, 4, question.context_offset + 5), -5.0)
    scores[:, :, 0] = torch.tensor([-0.1, -0.2, -1.0, -0.1])
    scores[:, 2, question.context_offset] = -0.9
    best, second, *_ = best_answers(question, scores, 3, count=5)
    assert best == ("five", pytest.approx(math.exp(-1.8)), 19, 23)
    assert second == ("", pytest.approx(math.exp(-2.0)), None, None)
    scores[:, :, 0] += 0.5
    assert best_answers(question, scores, 3, count=1)[0].text == ""
    assert best_answers(asked(), scores, 3, count=1)[0].text == "five"


def test_the_file_is_complete_after_every_batch(tmp_path):
    file = AnswersFile(tmp_path / "new folder/answers.json")
    file.check()
    first, second = Answer("é", 0.5, 0, 1), Answer("", 0.25, None, None)
    expected = {}
    for name, answers in [('q"1', [first, second]), ("q2", []), ("q3", [second])]:
        file.add({name: answers})
        expected[name] = [answer._asdict() for answer in answers]
        assert json.loads(file.path.read_text()) == expected
    file.add({"q2": [first]})  # fairseq may give a worker without work the same batch again
    assert json.loads(file.path.read_text()) == expected
    file.begin()
    file.add({"q4": []})
    assert json.loads(file.path.read_text()) == {"q4": []}


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(MemtxError, match=r"--n-best-file .* cannot be written \(Is a directory\)"):
        AnswersFile(tmp_path).check()
