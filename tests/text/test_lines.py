"""Lines of files that other systems wrote."""

import codecs
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.text.lines import decode, read_lines

PATH = Path("text")


def lines(content: bytes) -> list[str]:
    return [decode(line, "text") for line in read_lines(io.BytesIO(content), PATH)]


def test_marks_and_windows_line_ends_are_no_text():
    mark = codecs.BOM_UTF8
    assert lines(mark + b"one\r\ntwo \r\n\r\nthree") == ["one", "two ", "", "three"]
    assert lines(b"one\n" + mark + b"two\n") == ["one", "two"]  # after cat of two files
    assert lines(mark * 2 + b"one\r\r\n") == ["one"]
    assert lines("a\ufeffb\n".encode()) == ["a\ufeffb"]


@given(some.lists(some.text("ab \t\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\u200b", max_size=5)))
def test_only_a_newline_ends_a_line(texts):
    """Whatever Python's splitlines and its reading of text take for an end."""
    expected = [text.rstrip("\r") for text in texts]
    assert lines("".join(f"{text}\n" for text in texts).encode()) == expected
    assert lines("".join(f"{text}\r\n" for text in texts).encode()) == expected


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_other_encodings_end_in_one_line(encoding, mark):
    if encoding == "latin-1" and mark:
        return
    with pytest.raises(MemtxError, match=r"text: (UTF-16|UTF-32|not UTF-8|has a zero byte)"):
        lines(f"{mark}größer\nklein\n".encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_wide_characters_without_a_mark_are_no_text(encoding):
    """They are valid UTF-8 where all letters are of ASCII."""
    with pytest.raises(MemtxError, match="text: has a zero byte, so it is UTF-16 or no text"):
        lines("plain letters\n".encode(encoding))
