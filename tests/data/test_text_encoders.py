"""What the record of a data folder says of its text."""

import json

import pytest

from fairseq_memtx.data.text_encoders import SplitText, text_cutter
from fairseq_memtx.errors import MemtxError
from fairseq_memtx.text.folder import FolderText
from fairseq_memtx.text.units import Bytes, Characters, Lines


def record(folder, **settings) -> None:
    (folder / "prepared.json").write_text(json.dumps({"settings": settings}))


def test_each_unit_has_its_cutter(tmp_path):
    for unit, kind in [("words", Lines), ("characters", Characters), ("bytes", Bytes)]:
        record(tmp_path, unit=unit)
        assert type(text_cutter(tmp_path)) is kind
    record(tmp_path, unit="words", lowercase=True)
    assert text_cutter(tmp_path).encode("THE End\n<pad>") == "the end </s> <pad>\\"


def test_a_folder_without_a_record(tmp_path):
    """From before there was one, or of fairseq-preprocess: cut by white space."""
    assert FolderText.read(tmp_path) is None
    assert text_cutter(tmp_path).encode("T h e _\nred") == "T h e _ </s> red"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"settings": 3}', "[" * 100_000, "\x00"])
def test_a_damaged_record_is_told_in_a_line(tmp_path, text):
    (tmp_path / "prepared.json").write_text(text)
    with pytest.raises(MemtxError, match=r"prepared.json: damaged file"):
        FolderText.read(tmp_path)


def test_what_cannot_be_used_is_told_in_a_line(tmp_path):
    record(tmp_path, unit="syllables")
    with pytest.raises(MemtxError, match="unknown unit 'syllables'"):
        text_cutter(tmp_path)
    record(tmp_path, unit="pieces")
    with pytest.raises(MemtxError, match="bpecodes"):
        text_cutter(tmp_path)
    (tmp_path / "bpecodes").write_text("#version: 0.2\nnonsense\n")
    with pytest.raises(MemtxError, match="bpecodes: no codes of subword-nmt"):
        text_cutter(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "The bank closes at 2:16 AM.",
        "From 10:00 to 23:59, then until 0:05.",
        "He said: 16 of 20 were there.",
        "The score was 25: 75 of them left.",
    ],
)
def test_times_of_day_come_back_as_they_were(tmp_path, text):
    """A space stands behind every colon of sacremoses; of a day there are 24 hours."""
    pytest.importorskip("sacremoses")
    record = FolderText(tmp_path, "pieces", moses=True, escape=True, languages=("de", "en"))
    split = SplitText(record, "en", "en")
    assert split.decode(split.encode(text)) == text
    assert " : " in split.encode(text) or ": " in text
