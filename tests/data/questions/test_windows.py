"""Words, pieces, windows and rows."""

import numpy as np
import pytest
import torch
from fairseq.data import Dictionary

from fairseq_memtx.data.questions.dataset import QuestionDataset
from fairseq_memtx.data.questions.windows import TextEncoder, cut, plan_windows
from fairseq_memtx.errors import MemtxError
from fairseq_memtx.text.folder import FolderText
from fairseq_memtx.text.questions.reading import Question

CONTEXT = "Zoë's cat—aged 7—didn't  sleep,\nhas (it) slept? No."


class Halves:
    """Byte pairs for the poor: a word in two pieces, the first of which keeps the space."""

    def encode(self, word):
        space = "_" if word[0] == " " else ""
        letters = word.strip()
        middle = max(len(letters) // 2, 1)
        return f"{space}{letters[:middle]} {letters[middle:]}"


def dictionary_of(*pieces):
    dictionary = Dictionary()
    for piece in pieces:
        dictionary.add_symbol(piece)
    return dictionary


def question(context, answer=None, text="is it ?", name="q"):
    span = None if answer is None else (context.index(answer), context.index(answer) + len(answer))
    return Question(name, text, context, [answer], span, "squad-1.1")


def numbers(count):
    """A context of words and its dictionary."""
    words = [f"w{number}" for number in range(count)]
    return " ".join(words), dictionary_of("is", "it", "?", *words)


def test_words_know_their_place():
    encoded = TextEncoder(dictionary_of("cat", "?"))(CONTEXT)
    words = [CONTEXT[start:end] for start, end in zip(encoded.starts, encoded.ends)]
    expected = "Zoë 's cat — aged 7 — didn 't sleep , has ( it ) slept ? No ."
    assert words == expected.split()
    assert [word for word, piece in zip(words, encoded.pieces) if piece != 3] == ["cat", "?"]


def test_pieces_have_the_place_of_their_word():
    dictionary = dictionary_of("a", "_c", "at", "ept", "slept", "_cat")
    encoded = TextEncoder(dictionary, Halves())("a cat slept")
    assert [dictionary[piece] for piece in encoded.pieces] == ["a", "_c", "at", "<unk>", "ept"]
    assert encoded.starts.tolist() == [0, 2, 2, 6, 6]
    assert encoded.ends.tolist() == [1, 5, 5, 11, 11]
    begins, ends = encoded.word_edges()
    assert begins.tolist() == [True, True, False, True, False]
    assert ends.tolist() == [True, False, True, False, True]
    assert encoded.pieces_of((2, 5)) == (1, 2)
    assert encoded.pieces_of((0, 5)) == (0, 2)
    assert encoded.pieces_of((3, 7)) == (1, 4)  # whole words, if parts are asked for


def test_a_word_behind_no_space_keeps_none():
    dictionary = dictionary_of("_c", "c", "at")
    encoded = TextEncoder(dictionary, Halves())("a (cat cat")
    known = [dictionary[piece] for piece in encoded.pieces if piece != dictionary.unk()]
    assert known == ["c", "at", "_c", "at"]


def test_an_answer_is_in_a_window_whole_or_not():
    context, dictionary = numbers(9)
    encode = TextEncoder(dictionary)
    for first in range(9):
        for last in range(first, 9):
            answer = " ".join(f"w{number}" for number in range(first, last + 1))
            (asked,) = cut([question(context, answer)], encode, 11, 5, stride=2)
            for window, (start, end) in enumerate(asked.windows):
                whole = {*range(first, last + 1)} <= {*range(start, end)}
                moved = asked.context_offset - start
                expected = (moved + first, moved + last) if whole else (0, 0)
                assert asked.answer_in(window) == expected


@pytest.mark.parametrize(
    ("length", "size", "stride"), [(20, 6, 2), (20, 6, 6), (5, 6, 1), (6, 6, 1)]
)
def test_windows_cover_the_text(length, size, stride):
    windows = plan_windows(length, size, stride)
    assert sorted({place for window in windows for place in range(*window)}) == list(range(length))
    assert all(end - first <= size for first, end in windows)
    assert {later[0] - first[0] for first, later in zip(windows, windows[1:])} <= {stride}
    assert (len(windows) == 1) == (length <= size)
    assert all(end < length for _, end in windows[:-1])  # none after the one that ends the text


def test_rows():
    """``<s> question </s> </s> context </s>``, with the answer where it is."""
    context, dictionary = numbers(12)
    asked = cut([question(context, "w5 w6 w7 w8")], TextEncoder(dictionary), 13, 5, stride=4)
    dataset = QuestionDataset(list(asked), dictionary, whole=True)
    (item,) = dataset
    frame = [0, 4, 5, 6, 2, 2]
    w0 = dictionary.index("w0")
    assert [row.tolist() for row in item["rows"]] == [
        [*frame, *range(w0, w0 + 6), 2],
        [*frame, *range(w0 + 4, w0 + 10), 2],
        [*frame, *range(w0 + 8, w0 + 12), 2],
    ]
    assert item["answers"] == [(0, 0), (7, 10), (0, 0)]  # a part of the answer is none


def test_the_question_is_cut_off_and_the_window_has_what_it_leaves():
    context, dictionary = numbers(20)
    long = question(context, text="is it is it is it")
    short = question(context, text="is")
    first, second = cut([long, short], TextEncoder(dictionary), 12, 3)
    assert [len(first.asked), len(second.asked)] == [3, 1]
    assert first.windows[:2] == [(0, 5), (3, 8)]  # half a window apart
    assert second.windows[:2] == [(0, 7), (4, 11)]
    assert first.context is second.context  # in store once


def test_batches():
    context, dictionary = numbers(12)
    questions = [question(context, "w11"), question("w3 w4", "w3", text="is")]
    asked = list(cut(questions, TextEncoder(dictionary), 13, 5, stride=6))
    whole = QuestionDataset(asked, dictionary, whole=True)
    batch = whole.collater([whole[0], whole[1]])
    tokens = batch["net_input"]["src_tokens"]
    assert tokens.shape == (3, 13)
    assert tokens[2].tolist() == [0, 4, 2, 2, 10, 11, 2] + [dictionary.pad()] * 6
    assert batch["allowed"][2].nonzero().flatten().tolist() == [0, 4, 5]
    assert batch["allowed"][0].nonzero().flatten().tolist() == [0, *range(6, 12)]
    assert batch["starts"].tolist() == batch["ends"].tolist() == [0, 11, 4]
    assert (batch["nsentences"], batch["ntokens"]) == (3, 33)
    assert batch["questions"] == asked
    windows = QuestionDataset(asked, dictionary, whole=False)
    assert len(windows) == 3
    alone = windows.collater([windows[0], windows[1], windows[2]])
    assert "questions" not in alone
    for name in ("starts", "ends", "allowed"):
        assert torch.equal(alone[name], batch[name])
    assert windows.collater([]) == {}


def test_no_question_is_cut_in_two_or_left_out():
    """However small --max-tokens is, and although fairseq drops batches of odd sizes."""
    context, dictionary = numbers(30)
    questions = [question(context if n % 2 else "w1 w2", "w1", name=str(n)) for n in range(11)]
    asked = list(cut(questions, TextEncoder(dictionary), 13, 5))
    dataset = QuestionDataset(asked, dictionary, whole=True)
    indices = dataset.ordered_indices()
    for limits in ({"max_tokens": 13}, {"max_tokens": 300}, {"max_sentences": 4}):
        batches = dataset.batch_by_size(indices, **limits, required_batch_size_multiple=8)
        assert sorted(np.concatenate(batches)) == list(range(11))
        for batch in batches:
            rows = dataset.collater([dataset[index] for index in batch])["net_input"]["src_tokens"]
            assert rows.numel() <= limits.get("max_tokens", 1e9) or len(batch) == 1
    assert dataset.num_tokens(1) == dataset[1]["rows"][0].numel() * len(dataset[1]["rows"])


def test_rows_longer_than_a_batch():
    context, dictionary = numbers(30)
    asked = list(cut([question(context, "w1")], TextEncoder(dictionary), 13, 5))
    dataset = QuestionDataset(asked, dictionary, whole=False)
    indices = dataset.ordered_indices()
    assert dataset.filter_indices_by_size(indices, 13) == (indices, [])
    with pytest.raises(
        MemtxError, match="up to 13 tokens and only 12 are allowed: raise --max-tok"
    ):
        dataset.filter_indices_by_size(indices, 12)


def test_a_character_is_a_word_in_a_text_without_spaces():
    """So an answer may begin and end inside a run of them."""
    context = "北京是中国的首都。有2000万人。"
    encoded = TextEncoder(dictionary_of("首", "都"))(context)
    words = [context[start:end] for start, end in zip(encoded.starts, encoded.ends)]
    assert words == [*"北京是中国的首都。有", "2000", *"万人。"]
    first, last = encoded.pieces_of((6, 8))
    assert encoded.pieces[first : last + 1].tolist() == [4, 5]
    assert (encoded.starts[first], encoded.ends[last]) == (6, 8)


CODES = "#version: 0.2\np a\npa r\npar i\npari s\nparis ,</w>\n"


def folder_text(folder, **fields):
    (folder / "bpecodes").write_text(CODES)
    return FolderText(folder, "pieces", **fields)


def test_answers_are_words_although_pieces_are_of_white_space_words(tmp_path):
    """Where a model knows "paris," as one piece, "Paris" is still an answer of its own place."""
    context = "In Paris, (İI)ß!"
    record = folder_text(tmp_path, lowercase=True, punctuation_apart=False)
    encoded = TextEncoder(dictionary_of("paris,", "i@@", "n"), record=record)(context)
    places = [context[start:end] for start, end in zip(encoded.starts, encoded.ends)]
    # "paris," covers two words; "İ" is two letters in lower case.
    assert places == ["In", "In", "Paris,", "(", "İI", "İI", "İI", ")", "ß", "!"]
    record = record.change(punctuation_apart=True)
    encoded = TextEncoder(dictionary_of("paris,", "i@@", "n"), record=record)(context)
    places = [context[start:end] for start, end in zip(encoded.starts, encoded.ends)]
    assert places[2:5] == ["Paris", "Paris", ","]


def test_case_is_that_of_the_model():
    dictionary = dictionary_of("the", "cat")
    assert TextEncoder(dictionary, lowercase=True)("The CAT").pieces.tolist() == [4, 5]
    assert TextEncoder(dictionary)("The CAT").pieces.tolist() == [3, 3]


def test_a_word_like_a_symbol_is_text(tmp_path):
    record = FolderText(tmp_path, "words", punctuation_apart=False)
    dictionary = dictionary_of("</s>\\", "x@@\\")
    encoded = TextEncoder(dictionary, record=record)("</s> x@@ <pad>")
    assert encoded.pieces.tolist() == [4, 5, 3]
    assert encoded.ends.tolist()[-1] == 14
