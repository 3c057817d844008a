"""A dictionary is read as it is meant, or refused in one line that names file and line."""

import re
from pathlib import Path

import pytest
from fairseq.data import Dictionary

from fairseq_memtx import compat
from fairseq_memtx.errors import MemtxError

compat.mend_fairseq()


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "dict.txt"


@pytest.mark.parametrize(
    "content",
    [
        b"one 3\ntwo 2\n",
        b"one 3\r\ntwo 2\r\n",
        b"\xef\xbb\xbfone 3\ntwo 2\n",
        b"one 3\ntwo 2",
        b"one 3  \ntwo 2\n",
        b"one 3\rtwo 2\r",
        b"one 1000000000000000000000\ntwo 2\n",
    ],
    ids=["unix", "windows", "mark", "no newline", "spaces", "old mac", "huge count"],
)
def test_the_same_words_whatever_the_editor(file, content):
    file.write_bytes(content)
    assert Dictionary.load(str(file)).symbols[4:] == ["one", "two"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"one 3\ntwo \xff 2\n", "line 2: not UTF-8"),
        (b"\xff\xfeo\0n\0e\0 \x003\0\n\0", "line 1: not UTF-8"),
        (b"one 3\ntwo\n", "line 2: no word and count"),
        (b"one 3\n\ntwo 1\n", "line 2: no word and count"),
        (b"one 3\ntwo 1.5\n", "line 2: no word and count"),
        (b"one 3\ntwo nan\n", "line 2: no word and count"),
        (b"one 3\ntwo 1e400\n", "line 2: no word and count"),
        (b"one 3\ntwo " + b"9" * 5000 + b"\n", "line 2: no word and count"),
        (b"one\t3\n", "line 1: no word and count"),
        (b"one 3\ntwo -1\n", "line 2: a count below zero"),
        (b"one 3\none 2\n", "line 2: a word that is there already"),
        (b"one 3\n</s> 2\n", "line 2: a word that is there already"),
        (b"one 3 #fairseq:overwrite\none 2\n", "line 2: a word that is there already"),
        (b"", "is empty"),
        (b"\0" * 5000, "line 1: no word and count"),
        (bytes(range(256)) * 9, "line 2: not UTF-8"),
    ],
)
def test_line_that_names_file_and_line(file, content, says):
    file.write_bytes(content)
    with pytest.raises(MemtxError, match=re.escape(says)) as error:
        Dictionary.load(str(file))
    assert str(file) in str(error.value)
    assert len(str(error.value)) < 400


def test_no_file(file):
    with pytest.raises(MemtxError, match="there is no dictionary"):
        Dictionary.load(str(file))
    file.mkdir()
    with pytest.raises(MemtxError, match="is no file"):
        Dictionary.load(str(file))


def test_words_that_overwrite(file):
    file.write_text("one 3\n<unk> 2 #fairseq:overwrite\n")
    assert Dictionary.load(str(file)).index("<unk>") == 5
