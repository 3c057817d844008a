"""One HTML page: nothing is fetched, nothing is taken for HTML, and it can be read in every way."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from fairseq_memtx.pictures.html_page import Picture, Section, Table, Text, Verbatim, write

EVIL = "<script>alert('1')</script> & \"q\""
# https://www.w3.org/TR/WCAG22/#contrast-minimum
READABLE = 4.5
VOID = {"meta", "link", "img"}


class Page(HTMLParser):
    """Elements of a page in their order, each with its attributes and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict, list[str]]] = []
        self.open: list[int] = []
        self.feed(text)
        assert not self.open, "an element is never closed"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_endtag(self, tag):
        assert self.elements[self.open.pop()][0] == tag

    def handle_data(self, data):
        for number in self.open:
            self.elements[number][2].append(data)

    def all(self, *tags: str) -> list[tuple[str, dict, str]]:
        return [(t, attrs, "".join(data)) for t, attrs, data in self.elements if t in tags]


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([1, 2], [3, 4])
    figure.savefig(folder / "drawn.png", format="png")
    inner = Section("Inside", [Verbatim(f"  two\nlines {EVIL}")])
    sections = [
        Section(
            "First",
            [
                Text(EVIL),
                Table(f"Counted {EVIL}", ["what", "how many"], [["bees", 3], [EVIL, None]]),
                inner,
            ],
        ),
        Section(
            "Second",
            [
                Picture.of_figure(figure, f"a line {EVIL}", "Drawn"),
                Picture.of_file(folder / "drawn.png", "the same"),
                Table("More", ["name"], [["x"]], folded=True),
            ],
        ),
    ]
    write(folder / "new" / "page.html", EVIL, "In short.", sections)
    return folder / "new" / "page.html"


@pytest.fixture(scope="module")
def page(path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def test_nothing_is_fetched(page, path):
    for _, attrs, _ in page.elements:
        for name in ("src", "href", "srcset", "data", "action"):
            assert attrs.get(name, "data:").startswith(("data:", "#"))
    assert "url(" not in path.read_text()
    assert "@import" not in path.read_text()
    (policy,) = [a["content"] for t, a, _ in page.all("meta") if "http-equiv" in a]
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_what_is_written_is_no_html(page):
    assert not page.all("script")
    (_, _, title), (_, _, heading) = page.all("title", "h1")
    assert title == heading == EVIL
    assert [data for _, _, data in page.all("pre")] == [f"  two\nlines {EVIL}"]
    assert page.all("img")[0][1]["alt"] == f"a line {EVIL}"
    assert EVIL in [data for _, _, data in page.all("th")]


def test_headings_in_order(page):
    headings = [(tag, data) for tag, _, data in page.all("h1", "h2", "h3", "h4")]
    assert headings == [("h1", EVIL), ("h2", "First"), ("h3", "Inside"), ("h2", "Second")]


def test_contents_lead_to_the_sections(page):
    links = [(attrs["href"][1:], data) for _, attrs, data in page.all("a")]
    assert [name for _, name in links] == ["First", "Second"]
    for target, name in links:
        (found,) = [data for _, attrs, data in page.elements if attrs.get("id") == target]
        assert name in "".join(found)


def test_read_aloud(page):
    assert page.all("html")[0][1]["lang"] == "en"
    assert len(page.all("main")) == 1
    assert all(attrs["alt"].strip() for _, attrs, _ in page.all("img"))
    for _, attrs, data in page.all("th"):
        assert attrs["scope"] in ("col", "row"), data
    assert len(page.all("caption")) + len(page.all("summary")) == len(page.all("table"))


def test_on_a_phone(page, path):
    views = [a["content"] for _, a, _ in page.all("meta") if a.get("name") == "viewport"]
    assert views == ["width=device-width, initial-scale=1"]
    assert re.search(r"img \{[^}]*max-width: 100%", path.read_text())
    assert re.search(r"\.wide, pre \{[^}]*overflow-x: auto", path.read_text())


def test_words_stand_out_in_light_and_dark(path):
    light, dark = (
        dict(re.findall(r"--(\w+): (#\w+);", block))
        for block in re.findall(r":root \{(.*?)\}", path.read_text())
    )
    for colours in (light, dark):
        for ink in ("ink", "soft", "link"):
            for ground in ("paper", "raised"):
                assert contrast(colours[ink], colours[ground]) >= READABLE, (ink, ground)


def contrast(one: str, other: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear))

    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_pictures_are_whole(page):
    drawn, read = (attrs["src"] for _, attrs, _ in page.all("img"))
    assert drawn.startswith("data:image/svg+xml;base64,")
    assert read.startswith("data:image/png;base64,iVBORw0KGgo")


def test_the_same_page_twice(path, page):
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([1, 2], [3, 4])
    again = Picture.of_figure(figure, "x")
    assert again.address == page.all("img")[0][1]["src"]
