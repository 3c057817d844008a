"""How the text of a folder was cut, read from its record."""

import json
from pathlib import Path

import pytest

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.text.folder import FolderText, is_lowercase, punctuation_is_apart

CODES = "#version: 0.2\no o\nb a\nba d</w>\nf i\nl m</w>\ng oo\ngoo d</w>\n"


def folder(path: Path, settings: dict, text: dict | None = None) -> FolderText:
    record = {"settings": settings, **({"text": text} if text else {})}
    (path / "prepared.json").write_text(json.dumps(record))
    (path / "bpecodes").write_text(CODES)
    found = FolderText.read(path)
    assert found is not None
    return found


def test_a_folder_without_a_record(tmp_path):
    assert FolderText.read(tmp_path) is None


def test_the_record_is_read_as_it_was_written(tmp_path):
    for fields in [
        {"unit": "words", "lowercase": True, "punctuation_apart": False},
        {"unit": "pieces", "moses": True, "escape": True, "languages": ("de", "en")},
    ]:
        written = FolderText(tmp_path, **fields)
        assert folder(tmp_path, {}, written.entry()) == written


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"source": "de", "target": "en", "lowercase": True, "dash_splits": True},
            {"unit": "pieces", "moses": True, "dash_splits": True, "escape": True,
             "languages": ("de", "en"), "lowercase": True},
        ),
        ({"unit": "pieces", "threshold": 1, "bpe_size": 9}, {"unit": "pieces"}),
        ({"unit": "words", "lowercase": True}, {"unit": "words", "lowercase": True}),
        ({"unit": "bytes", "threshold": 1}, {"unit": "bytes"}),
        ({"unit": "bytes", "raw_text": False, "classes": ["0", "1"]}, {"unit": "gpt2"}),
        (
            {"unit": "pieces", "raw_text": True, "lowercase": True, "classes": ["0", "1"]},
            {"unit": "pieces", "moses": True, "dash_splits": True, "lowercase": True},
        ),
    ],
)  # fmt: skip
def test_folders_that_are_older_than_the_entry(settings, expected, tmp_path):
    assert folder(tmp_path, settings) == FolderText(tmp_path, spaceless=False, **expected)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '"text"',
        "{}",
        '{"settings": []}',
        '{"text": {"unknown": 1}}',
        '{"text": {"unit": "x"}}',
        "[" * 9999,
    ],
)
def test_a_damaged_record_ends_in_one_line(content, tmp_path):
    (tmp_path / "prepared.json").write_text(content)
    with pytest.raises(MemtxError, match=r"prepared\.json: damaged file \([^\n]+\): prepare the f"):
        FolderText.read(tmp_path)


def test_pieces_are_those_of_the_vocabulary(tmp_path):
    """Of the language, or of the dictionary where there is no such file."""
    text = folder(tmp_path, {"unit": "pieces"})
    assert text.cutter()("good") == "good"
    (tmp_path / "dict.txt").write_text("g@@ 1\noo@@ 1\nd 1\n")
    assert text.cutter()("good") == "g@@ oo@@ d"
    (tmp_path / "bpevocab").write_text("goo@@ 1\nd 1\n")
    assert text.cutter()("good") == "goo@@ d"
    (tmp_path / "bpevocab.de").write_text("good 1\n")
    german = text.change(languages=("de", "en"))
    assert german.cutter("de")("good") == "good"
    assert german.cutter("en")("good") == "g@@ oo@@ d"  # no file: the dictionary


def test_steps_follow_each_other(tmp_path):
    text = folder(tmp_path, {}, FolderText(tmp_path, "words", lowercase=True).entry())
    assert text.words("\ufeffThe <PAD> 漢字 </s>x x@@ <unk>\t") == [
        "the", "<pad>\\", "漢", "字", "</s>x", "x@@\\", "<unk>",
    ]  # fmt: skip
    pieces = text.change(unit="pieces")
    assert pieces.words("<unk>") == ["<unk>\\"]
    english = text.change(moses=True, dash_splits=True)
    assert english.words("A well-known “film”.") == [
        "a", "well", "@-@", "known", '"', "film", ".", '"',
    ]  # fmt: skip
    # A capital letter tells that a sentence begins there.
    assert english.words("The end. He left.") == ["the", "end", ".", "he", "left", "."]


def test_codes_that_are_none(tmp_path):
    text = folder(tmp_path, {"unit": "pieces"})
    (tmp_path / "bpecodes").write_text("a b c\n")
    with pytest.raises(MemtxError, match="bpecodes: no codes of subword-nmt"):
        text.cutter()


def test_how_punctuation_is_written():
    assert punctuation_is_apart(["Well , it is . Is it ?"] * 5) is True
    assert punctuation_is_apart(["Well, it is. Is it?"] * 5) is False
    assert punctuation_is_apart(["no marks, hardly any"] * 3) is None


def test_whether_words_are_lower_case():
    assert is_lowercase(["the@@", "3", "größe", ","])
    assert not is_lowercase(["the", "The"])
    assert not is_lowercase(["123", "7"])  # GPT-2's pieces
