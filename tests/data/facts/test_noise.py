"""Noise that is drawn, or a text: any window of it alone, sentences' borders, parts apart."""

from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT  # noqa: F401  (the plugin comes first)

from fairseq_memtx.data.facts import check_answers, make_noise
from fairseq_memtx.data.facts.noise import DrawnNoise, Noise
from fairseq_memtx.data.facts.text_noise import TextNoise
from fairseq_memtx.errors import MemtxError

TEXT = "\n".join(f'The {n} th dog ran . A " cat , {n} , slept ! " Did it ?' for n in range(40))


@pytest.fixture
def text(tmp_path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture(params=["drawn", "text"])
def noise(request, text) -> Noise:
    return DrawnNoise(50) if request.param == "drawn" else TextNoise(text, 20)


def test_a_window_is_part_of_the_whole(noise):
    passage = noise.passage(12345, "train")
    whole = passage.read(0, 2000)
    for begin, end in [(0, 1), (15, 17), (16, 32), (333, 1111), (1999, 2000), (7, 7)]:
        assert np.array_equal(passage.read(begin, end), whole[begin:end])


def test_a_passage_depends_on_its_key_alone(noise):
    first, again, other = (noise.passage(key, "train").read(0, 40) for key in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_far_away_is_as_quick_as_near(noise):
    passage = noise.passage(5, "valid")
    far = passage.read(10**12, 10**12 + 100)
    assert len(far) == 100
    assert far.max() < len(noise.words)


def test_frequencies_of_drawn_words_are_zipfs():
    counts = np.bincount(DrawnNoise(300).passage(7, "train").read(0, 400_000), minlength=300)
    shares = 1 / np.arange(1, 301)
    assert counts.min() > 0
    assert np.allclose(counts / 400_000, shares / shares.sum(), rtol=0.2, atol=2e-4)


def test_drawn_words_are_the_same_everywhere():
    assert DrawnNoise(300).passage(1, "train").read(0, 8).tolist() == [
        13,
        9,
        29,
        3,
        0,
        54,
        258,
        115,
    ]


def test_sentences_of_a_text(text):
    """Every border is where a sentence begins; closing marks belong to the one before them."""
    noise = TextNoise(text, 20)
    passage = noise.passage(3, "train")
    words = [noise.words[place] for place in passage.read(0, 300)]
    begins = [passage.border(number) for number in range(passage.borders(299))]
    expected = [n for n in range(300) if words[n] in ("The", "A", "Did")]
    assert begins == expected
    assert begins[0] == 0


def test_sentences_end_within_quotes_and_words_of_validation_are_not_counted(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text('He said , "No." Then he left.\n' * 45 + "late late late late late.\n" * 9)
    noise = TextNoise(path, 20)
    passage = noise.passage(0, "train")
    words = [noise.words[place] for place in passage.read(0, 14)]
    assert words[:7] == ["He", "said", ",", '"No."', "Then", "he", "left."]
    assert [passage.border(number) for number in range(5)] == [0, 4, 7, 11, 14]
    assert [passage.borders(length) for length in (3, 4, 13, 14)] == [1, 2, 4, 5], "also at the end"
    assert set(noise.vocabulary) == set(words)


def test_a_sentence_may_stand_at_any_word_of_drawn_noise():
    passage = DrawnNoise(5).passage(3, "train")
    assert [passage.border(number) for number in range(passage.borders(4))] == [0, 1, 2, 3, 4]


def test_a_passage_goes_round_in_its_part(text):
    """The sentences of validation, of which none is in training, come again and again."""
    noise = TextNoise(text, 20)
    parts = {name: len(noise.parts[name].tokens) for name in noise.parts}
    assert sum(parts.values()) == len(TEXT.split())
    sentences = [len(noise.parts[name].begins) for name in noise.parts]
    total = sum(sentences)
    assert sentences == [
        total * 8 // 10,
        total * 9 // 10 - total * 8 // 10,
        total - total * 9 // 10,
    ]
    whole = np.concatenate([noise.parts[name].tokens for name in ("train", "valid", "test")])
    assert [noise.words[place] for place in whole] == TEXT.split()
    length = parts["valid"]
    passage = noise.passage(4, "valid")
    read = passage.read(0, 3 * length)
    assert np.array_equal(read[:length], read[length : 2 * length])
    assert sorted(read[:length]) == sorted(noise.parts["valid"].tokens)
    borders = passage.borders(3 * length - 1)
    assert borders == 3 * len(noise.parts["valid"].begins)
    assert passage.border(borders - 1) < 3 * length <= passage.border(borders)


def test_the_most_frequent_words_of_training_are_known(text):
    assert set(TextNoise(text, 4).vocabulary[:4]) < {
        "The",
        "th",
        "dog",
        "ran",
        ".",
        "A",
        '"',
        "cat",
        ",",
    }
    assert set(TextNoise(text, 2).vocabulary) == {'"', ","}


def test_what_is_no_noise(text, tmp_path):
    for size in (0, 5001):
        with pytest.raises(MemtxError, match=f"--noise-words {size} is impossible: use 1 to 5000"):
            make_noise(None, size, 32)
    with pytest.raises(MemtxError, match="--noise-words 0 is too small"):
        make_noise(str(text), 0, 32)
    with pytest.raises(
        MemtxError, match=r"text.txt is too short: a row has up to 99 tokens.* has 72"
    ):
        make_noise(str(text), None, 99)
    short = tmp_path / "short.txt"
    short.write_text("One sentence . Another .")
    with pytest.raises(MemtxError, match=r"short.txt is too short: it has 2 sentences"):
        make_noise(str(short), None, 32)
    with pytest.raises(MemtxError, match=r"missing\.txt cannot be read"):
        make_noise(str(tmp_path / "missing.txt"), None, 32)


def test_answers_in_a_text(text, caplog):
    noise = make_noise(str(text), 3, 32)
    check_answers(noise, ["attic", "cellar"], allowed=False)
    with pytest.raises(MemtxError, match="holds the answers cat, dog, which"):
        check_answers(noise, ["dog", "attic", "cat"], allowed=False)
    caplog.set_level("INFO")
    check_answers(noise, ["dog", "attic"], allowed=True)
    assert "the noise holds answers, which stay in it: dog" in caplog.text
