"""Rows of stories in noise: what stands where, any window alone, batches."""

import random
from argparse import Namespace

import numpy as np
import pytest
import torch
from conftest import ROOT  # noqa: F401  (the plugin comes first)

from fairseq_memtx.data.facts import make_noise
from fairseq_memtx.data.facts.curve_windows import WINDOW, CurveWindows, lengths_of
from fairseq_memtx.data.facts.fact_rows import FactRows
from fairseq_memtx.data.facts.row import least_segments
from fairseq_memtx.data.facts.story_examples import FactsInNoise, noise_symbols
from fairseq_memtx.data.facts.vocabulary import check_known, dictionary_of
from fairseq_memtx.data.stories import Story, make_teller
from fairseq_memtx.errors import MemtxError


def examples(placement="anywhere", split="train", size=40, seed=1, facts=3, text=None, asked=1):
    teller = make_teller("one", facts, 5, 6, asked=asked)
    noise = make_noise(text, None, 32)
    dictionary = dictionary_of([*teller.words, *noise.vocabulary])
    return FactsInNoise(teller, noise, dictionary, placement, size, seed, split)


@pytest.fixture
def text(tmp_path) -> str:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(f"It was {n} degrees . We slept ." for n in range(200)))
    return str(path)


def words_of(row, made, begin: int, end: int) -> list[str]:
    return [made.dictionary[symbol] for symbol in row.window(begin, end)]


def slowly(made, index: int, length: int) -> list[str]:
    """The same row, sentence by sentence, from the words of its noise."""
    numbers = random.Random(made.seed_of(index))
    story = made.teller.tell(numbers, made.part)
    passage = made.noise.passage(numbers.getrandbits(128), made.part)
    count = length - len(story.question) - sum(map(len, story.sentences))
    noise = [made.noise.words[place] for place in passage.read(0, count)]
    borders = [passage.border(number) for number in range(passage.borders(count))]
    places = sorted(borders[numbers.randrange(len(borders))] for _ in story.sentences)
    if made.placement == "start":
        places = [0] * len(places)
    row: list[str] = []
    for place in range(count + 1):
        row += [w for p, s in zip(places, story.sentences) if p == place for w in s]
        row += noise[place : place + 1]
    return row + story.question


@pytest.mark.parametrize("placement", ["anywhere", "start"])
@pytest.mark.parametrize("kind", ["drawn", "text"])
def test_a_row_word_by_word(placement, kind, text):
    made = examples(placement, text=text if kind == "text" else None)
    for index in range(20):
        row = made.row(index, 96)
        expected = slowly(made, index, 96)
        assert words_of(row, made, 0, 96) == [
            word if word in made.dictionary.indices else "<unk>" for word in expected
        ]


def test_a_window_is_part_of_the_row():
    made = examples()
    row = made.row(2, 96)
    whole = row.window(0, 96)
    for begin in range(0, 96, 7):
        for end in range(begin, 97, 5):
            assert np.array_equal(row.window(begin, end), whole[begin:end])


def test_a_window_of_ten_million_tokens_is_made_alone():
    made = examples()
    row = made.row(0, 10_000_000)
    end = words_of(row, made, 10_000_000 - 32, 10_000_000)
    assert end[-3] == "where"
    assert made.dictionary[row.answers[-1]] in made.teller.answers
    assert len(row.window(5_000_000, 5_000_032)) == 32


def test_facts_stand_anywhere_or_in_front():
    def places(made):
        return np.array([made.row(index, 960).begins[:-1] for index in range(40)])

    assert (places(examples("start")) == places(examples("start"))[0]).all()
    assert places(examples("start"))[0, 0] == 0
    drawn = places(examples())
    assert (np.diff(drawn, axis=1) > 0).all()
    assert 300 < drawn.mean() < 660
    assert drawn.min() < 96
    assert drawn.max() > 864


def test_examples_depend_on_seed_split_epoch_and_number():
    def row(index=3, epoch=1, **named):
        made = examples(**named)
        made.set_epoch(epoch)
        return made.row(index, 64).window(0, 64).tolist()

    assert row() == row()
    others = [row(4), row(epoch=2), row(seed=2), row(split="valid"), row(split="train1")]
    assert all(other != row() for other in others)
    assert row(epoch=1, split="valid") == row(epoch=2, split="valid")


def test_validation_reads_another_part_of_the_text(text):
    read = {}
    for split in ("train", "valid", "test"):
        made = examples(split=split, text=text)
        numbers = {w for i in range(40) for w in slowly(made, i, 96) if w.isdigit()}
        read[split] = set(map(int, numbers))
    assert max(read["train"]) < 160 <= min(read["valid"])
    assert max(read["valid"]) < 180 <= min(read["test"])


def test_a_batch_asks_for_the_answer_alone():
    made = examples(facts=1)
    rows = FactRows(made, 16, 3)
    batch = rows.collater([rows[0], rows[1]])
    tokens = batch["net_input"]["src_tokens"]
    assert tokens.shape == (2, 48)
    assert batch["net_input"]["predicted"].tolist() == [[47], [47]]
    assert [made.dictionary[x] in made.teller.answers for x in batch["target"].flatten()] == [
        True
    ] * 2
    assert batch["ntokens"] == 2
    plain = FactRows(made, 16, 3, answers_alone=False)
    other = plain.collater([plain[0], plain[1]])
    assert "predicted" not in other["net_input"]
    assert torch.equal(other["target"][:, -1:], batch["target"])
    assert other["target"][:, :-1].eq(made.dictionary.pad()).all()


def test_some_rows_are_shorter():
    made = examples(size=2000)
    rows = FactRows(made, 32, 4, shorter=0.5, least=2)
    counts = np.bincount(rows.sizes // 32, minlength=5)
    assert counts[:2].sum() == 0
    assert np.allclose(counts[2:], [500, 500, 1000], atol=100)
    order = rows.ordered_indices()
    assert (np.diff(rows.sizes[order]) >= 0).all()
    assert (FactRows(made, 32, 4).sizes == 128).all()
    made.set_epoch(2)
    assert not np.array_equal(FactRows(made, 32, 4, shorter=0.5, least=2).sizes, rows.sizes)


def test_rows_of_two_lengths_in_a_batch():
    rows = FactRows(examples(facts=1, size=60), 16, 3, shorter=0.5)
    short, long = (int(rows.ordered_indices()[place]) for place in (0, -1))
    batch = rows.collater([rows[long], rows[short]])
    assert batch["net_input"]["predicted"].tolist() == [[47], [15]]
    asked = batch["net_input"]["src_tokens"].gather(1, batch["net_input"]["predicted"])
    assert all(rows.examples.dictionary[x].istitle() for x in asked.flatten())


def test_a_story_that_does_not_fit():
    made = examples(facts=5)
    with pytest.raises(MemtxError, match="has more than the 16 tokens of a row"):
        made.row(0, 16)
    assert least_segments(made.teller, 16) == 2
    either = Namespace(tell=lambda numbers, part: Story([["it"] * numbers.choice([5, 50])], [], ""))
    assert least_segments(either, 4) == 2, "of the shorter story"
    exactly = slowly(made, 0, 23)
    assert words_of(made.row(0, 23), made, 0, 23) == exactly, "five facts and a question"


def test_words_of_noise_are_never_fairseqs_symbols():
    noise = Namespace(words=["w0", "</s>", "other", "<pad>", "<s>"])
    assert noise_symbols(noise, dictionary_of(["w0"])).tolist() == [4, 3, 3, 3, 3]


def test_windows_of_a_curve_are_the_rows():
    made = examples(size=5, split="valid", asked=2)  # of which the last counts
    windows = CurveWindows(made, 4, [8, WINDOW + 6], batch_size=2)
    assert len(windows) == 3 * 1 + 3 * 2
    read: dict[tuple[int, int], list[int]] = {}
    for number in range(len(windows)):
        window = windows[number]
        for example, tokens in zip(window["id"], window["net_input"]["src_tokens"]):
            read.setdefault((window["segments"], int(example)), []).extend(tokens.tolist())
        answers = [
            made.row(int(example), 4 * window["segments"]).answers[-1] for example in window["id"]
        ]
        assert window["answers"].tolist() == answers
    assert read == {
        (segments, example): made.row(example, 4 * segments).window(0, 4 * segments).tolist()
        for segments in (8, WINDOW + 6)
        for example in range(5)
    }
    marks = {
        name: [windows[number][name] for number in range(len(windows))]
        for name in ("begins", "first", "last", "ends")
    }
    yes, no = True, False
    assert marks["begins"] == [yes, no, no, yes, no, no, no, no, no]
    assert marks["first"] == [yes, yes, yes, yes, no, yes, no, yes, no]
    assert marks["last"] == [yes, yes, yes, no, yes, no, yes, no, yes]
    assert marks["ends"] == [no, no, yes, no, no, no, no, no, yes]


def test_lengths_of_a_curve():
    assert lengths_of("8,32, 128", 1) == [8, 32, 128]
    for text in ("", "8,x", "1.5", "8;9"):
        with pytest.raises(MemtxError, match="is not understood: write whole numbers of segments"):
            lengths_of(text, 1)
    with pytest.raises(
        MemtxError, match="1 segments are too few, a story with its question needs 2"
    ):
        lengths_of("1,8", 2)


def test_words_that_a_trained_model_does_not_know():
    check_known(["Ada", "is", "w0"], ["Ada"], ["w0", "w1"])
    with pytest.raises(MemtxError, match="without the words Bo, Cy: ask for what it knows"):
        check_known(["Ada", "w0"], ["Ada", "Bo", "Cy"], ["w0"])
    with pytest.raises(MemtxError, match="without any word of this noise"):
        check_known(["Ada", "w0"], ["Ada"], ["The", "dog"])
