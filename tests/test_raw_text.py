"""``examples/*/raw_text.py`` and ``extract_text.py`` with files from other systems."""

import codecs
from pathlib import Path

import extract_text
import pytest
import raw_text

PAGE = "  <page>\n    <title>{}</title>\n\n  </page>\n"
PAGES = "".join(map(PAGE.format, range(10)))
ARTICLES = " \n = Title = \n \n Some text . \n \n = = Part = = \n \n" * 10


def windows(text: str) -> bytes:
    return codecs.BOM_UTF8 + text.replace("\n", "\r\n").encode()


@pytest.mark.parametrize(("at", "text"), [("page", PAGES), ("article", ARTICLES)])
def test_pages_and_articles_are_found_whatever_ends_a_line(at, text, tmp_path):
    """The same documents, the same cuts."""
    made = {}
    for system, content in {"unix": text.encode(), "windows": windows(text)}.items():
        (tmp_path / system).write_bytes(content)
        assert raw_text.documents(tmp_path / system, at, tmp_path / "documents") >= 10
        parts = [tmp_path / "first", tmp_path / "second"]
        raw_text.split(tmp_path / system, at, [60, 40], parts)
        lines = [part.read_bytes().replace(b"\r", b"") for part in parts]
        made[system] = [(tmp_path / "documents").read_bytes(), lines[0][-60:], lines[1]]
    assert made["unix"] == made["windows"]


def test_pages_of_an_export(tmp_path):
    text = f"<mediawiki>\n{PAGES}</mediawiki>\n"
    for content in (text.encode(), windows(text)):
        (tmp_path / "export.xml").write_bytes(content)
        assert raw_text.pages(tmp_path / "export.xml", tmp_path / "made") == (10, 0)
        assert (tmp_path / "made").read_text() == PAGES


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_other_encodings_end_in_one_line(encoding, tmp_path):
    (tmp_path / "text").write_bytes(PAGES.encode(encoding))
    with pytest.raises(raw_text.RawTextError, match="text: UTF-16 or UTF-32, not UTF-8"):
        raw_text.split(tmp_path / "text", "line", [1, 1], [tmp_path / "a", tmp_path / "b"])
    with pytest.raises(raw_text.RawTextError, match="text: UTF-16 or UTF-32, not UTF-8"):
        raw_text.documents(tmp_path / "text", "page", tmp_path / "a")
    with pytest.raises(extract_text.ExtractError, match="text, line 1: not UTF-8"):
        list(extract_text.read(tmp_path / "text"))


@pytest.mark.parametrize("name", ["text.de", "train.tags.de-en.de", "text.sgm"])
def test_parallel_lines_do_not_shift(name, tmp_path):
    texts = ["ein Satz", "mit\u2028Zeichen\x85darin", "der letzte"]
    lines = [f"<seg>{text}</seg>" if name.endswith("sgm") else text for text in texts]
    (tmp_path / name).write_bytes(windows("".join(f"{line}\n" for line in lines)))
    read = list(extract_text.read(Path(tmp_path / name)))
    assert [text.split() for text in read] == [text.split() for text in texts]
