"""``fairseq-memtx prepare numbers``: no leaks, no chance, nothing overwritten."""

import os
import re
from pathlib import Path

import pytest
from conftest import ROOT, fail, succeed

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.prepare.number_corpus import make_corpus, write_corpus
from fairseq_memtx.prepare.number_sentences import SENTENCES, SLOTS, plain

NUMBERS = ("fairseq-memtx", "prepare", "numbers")
SMALL = ("--pairs", 60, "--held-out", 5)
FILES = [f"{split}.{language}" for split in ("test", "train", "val") for language in ("de", "en")]


def write(folder: Path, *arguments: object, hash_seed: int = 0) -> dict[str, bytes]:
    """Run the command; the content of what it wrote."""
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    succeed(*NUMBERS, folder, *arguments, env=environment)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> dict[str, bytes]:
    """The corpus of the quickstart, by file."""
    return write(tmp_path_factory.mktemp("numbers") / "a new folder")


def lines(corpus: dict[str, bytes], name: str) -> list[str]:
    text = corpus[name].decode("utf-8")
    assert text.endswith("\n")
    return text[:-1].split("\n")


def test_files_and_their_sizes(corpus):
    assert list(corpus) == FILES
    assert [len(lines(corpus, name)) for name in FILES] == [500, 500, 6000, 6000, 500, 500]


@pytest.mark.parametrize("language", ["de", "en"])
def test_no_sentence_occurs_twice(corpus, language):
    sentences = [
        line for split in ("train", "val", "test") for line in lines(corpus, f"{split}.{language}")
    ]
    assert len(set(sentences)) == len(sentences) == 7000


def test_sentences_are_whole_and_their_spaces_plain(corpus):
    for name in FILES:
        for line in lines(corpus, name):
            assert re.fullmatch(r"\S+( \S+)+\.", line), line
            assert not set("{}\u00a0\u202f") & set(line), line


def test_lines_belong_together(corpus):
    """Checked by what stands in figures on both sides."""
    checked = 0
    for german, english in zip(lines(corpus, "train.de"), lines(corpus, "train.en")):
        time = re.search(r"(\d+):(\d\d) Uhr", german)
        if time:
            hour = int(time[1])
            half = "PM" if hour >= 12 else "AM"
            assert f" {hour % 12 or 12}:{time[2]} {half}" in english
        else:
            assert sorted(re.findall(r"\d+", german)) == sorted(re.findall(r"\d+", english))
        checked += any(character.isdigit() for character in german)
    assert checked > 2000


def test_same_seed_same_bytes(corpus, tmp_path):
    assert write(tmp_path, hash_seed=1) == corpus
    assert make_corpus(60, 5, seed=1) != make_corpus(60, 5, seed=2)


def test_every_sentence_has_the_same_slots_in_both_languages():
    for german, english in SENTENCES:
        slots = [re.findall(r"{(\w+)}", sentence) for sentence in (german, english)]
        assert sorted(slots[0]) == sorted(slots[1])
        assert len(set(slots[0])) == len(slots[0])
        assert set(slots[0]) <= SLOTS.keys()


class Draws:
    """Stands for ``random.Random``; the numbers are known beforehand."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)

    def randrange(self, *_: int) -> int:
        return self.numbers.pop(0)


@pytest.mark.parametrize(
    ("slot", "numbers", "pair"),
    [
        ("cardinal", [214], ("zweihundertvierzehn", "two hundred and fourteen")),
        ("cardinal", [201], ("zweihundertzwei", "two hundred and two")),
        (
            "cardinal",
            [3130],
            ("dreitausendeinhundertdreißig", "three thousand one hundred and thirty"),
        ),
        ("ordinal", [3], ("dritte", "third")),
        ("ordinal", [87], ("siebenundachtzigste", "eighty-seventh")),
        ("year", [1984], ("neunzehnhundertvierundachtzig", "nineteen eighty-four")),
        ("day", [123], ("dritten Mai", "third of May")),
        ("date", [25324], ("3. Mai 2019", "May 3, 2019")),
        ("weekday_date", [25324], ("Freitag, dem 3. Mai 2019", "Friday, May 3, 2019")),
        ("weekday", [6], ("Sonntag", "Sunday")),
        ("time", [14, 35], ("14:35", "2:35 PM")),
        ("time", [0, 5], ("0:05", "12:05 AM")),
        ("time", [12, 0], ("12:00", "12:00 PM")),
        ("price", [24690], ("1.234,50 €", "€1,234.50")),
    ],
)
def test_exact_translations(slot, numbers, pair):
    assert tuple(map(plain, SLOTS[slot](Draws(*numbers)))) == pair


@pytest.mark.parametrize(
    ("german", "english"),
    [
        (
            "Clara hat den einundvierzigsten Platz belegt.",
            "Clara finished in forty-first place.",
        ),
        (
            "Das sechsundzwanzigste Spiel endet um 3:44 Uhr.",
            "The twenty-sixth match ends at 3:44 AM.",
        ),
        (
            "Paul hat am siebzehnten November Geburtstag.",
            "Paul's birthday is on the seventeenth of November.",
        ),
    ],
)
def test_exact_pairs_of_the_quickstart(corpus, german, english):
    pairs = {
        pair
        for split in ("train", "test")
        for pair in zip(lines(corpus, f"{split}.de"), lines(corpus, f"{split}.en"))
    }
    assert (german, english) in pairs


def test_finished_corpus_is_left_alone(tmp_path):
    first = write(tmp_path, *SMALL)
    assert "already" in succeed(*NUMBERS, tmp_path, *SMALL)
    (tmp_path / "val.en").unlink()
    assert write(tmp_path, *SMALL) == first


def test_other_content_is_never_overwritten(tmp_path):
    (tmp_path / "val.de").write_text("mine\n")
    line = fail(*NUMBERS, tmp_path, *SMALL)
    assert "val.de is there with another content" in line
    assert [path.name for path in tmp_path.iterdir()] == ["val.de"]
    assert (tmp_path / "val.de").read_text() == "mine\n"


def test_an_interrupted_write_leaves_no_half_file(tmp_path, monkeypatch):
    def full_disk(path: Path, text: bytes) -> None:
        with path.open("wb") as file:
            file.write(text[:10])
        raise OSError(28, "No space left on device", str(path))

    corpus = make_corpus(6, 2, seed=1)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full_disk)
        with pytest.raises(MemtxError, match="cannot be written: No space left"):
            write_corpus(corpus, tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.name in FILES]
    assert write_corpus(corpus, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--pairs", 0], "at least 1"),
        (["--held-out", -1], "at least 1"),
        (["--pairs", 10**9], "100000 or less"),
    ],
)
def test_impossible_sizes(tmp_path, arguments, told):
    line = fail(*NUMBERS, tmp_path / "none", *arguments)
    assert line.startswith("fairseq-memtx: error: ")
    assert told in line
    assert not (tmp_path / "none").exists()


def test_destination_that_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    line = fail(*NUMBERS, tmp_path / "file", *SMALL)
    assert f"{tmp_path / 'file'}/train.de, " in line
    assert "cannot be written: " in line


def test_missing_library(tmp_path):
    (tmp_path / "babel.py").write_text("raise ModuleNotFoundError('gone', name='babel')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = ("python", "-m", "fairseq_memtx", *NUMBERS[1:])
    line = fail(*command, tmp_path / "none", env=environment)
    assert line == "fairseq-memtx: error: babel is missing: pip install Babel"
