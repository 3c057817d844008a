"""An HTML page as Chromium lays it out, offline: on a phone, on a desk, and with larger letters.

Chromium is one that is installed, such as Debian's chromium-headless-shell. Else this is skipped.
"""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from fairseq_memtx.pictures.html_page import Picture, Section, Table, Text, Verbatim, write

pytestmark = pytest.mark.processes
NAMES = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]
# What the page's own rules forbid it: a script, which tells how it came out.
SCRIPT = """<script>addEventListener("load", () => {
  const loaded = performance.getEntriesByType("resource").map(entry => entry.name);
  const right = element => element.getBoundingClientRect().right;
  const seen = [...document.querySelectorAll("main *")].filter(e => !e.closest(".wide, pre"));
  const page = document.documentElement;
  document.title = JSON.stringify({
    fetched: loaded.filter(name => !name.startsWith("data:")),
    pictures: [...document.images].map(image => image.complete && image.naturalWidth > 0),
    lost: [...document.links].filter(a => !document.getElementById(a.hash.slice(1))).length,
    wider: page.scrollWidth - page.clientWidth,
    broken: [...document.querySelectorAll("th, td")].filter(cell => {
      const words = document.createRange();
      words.selectNodeContents(cell);
      return /^\\S{1,20}$/.test(cell.textContent) && words.getClientRects().length > 1;
    }).map(cell => cell.textContent),
    cut: seen.filter(e => right(e) > innerWidth + 1).map(e => e.outerHTML.slice(0, 60)),
    mode: document.compatMode,
  });
});</script>"""


@pytest.fixture(scope="module")
def chromium() -> str:
    """The program."""
    found = [name for name in NAMES if shutil.which(name)]
    return found[0] if found else pytest.skip("no Chromium is installed")


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """Everything that a page may have, longer than a screen is wide."""
    figure = Figure(figsize=(15, 2))
    figure.subplots().plot([1, 2], [3, 4])
    folder = tmp_path_factory.mktemp("a page")
    figure.savefig(folder / "drawn.png")
    parts = [
        Text(f"--a-flag={300 * 'x'}"),
        Verbatim(300 * "y"),
        Table("Settings", [f"column {n}" for n in range(30)], [[n * 10**9 for n in range(30)]]),
        Table("All of them", ["name", "value"], [["path", 300 * "/z"]], folded=True),
        Picture.of_figure(figure, "a line"),
        Picture.of_file(folder / "drawn.png", "the same", 300 * "w"),
    ]
    sections = [Section("Outside", [*parts, Section("Inside", parts)]), Section(300 * "v", parts)]
    write(folder / "page.html", f"{300 * 'u'}", "In short.", sections)
    return folder / "page.html"


def laid_out(chromium: str, page: Path, *flags: str) -> dict:
    """What `SCRIPT` tells of a page."""
    text = page.read_text(encoding="utf-8")
    opened = re.sub(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>", "", text)
    with_script = page.with_name("with-script.html")
    with_script.write_text(opened.replace("</body>", f"{SCRIPT}</body>"), encoding="utf-8")
    result = subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", *flags,
         "--dump-dom", with_script.as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    told = re.search(r"<title>(.*?)</title>", result.stdout, re.DOTALL)
    assert told, result.stderr[-2000:]
    return json.loads(unescape(told[1]))


PHONE, DESK = "--window-size=390,844", "--window-size=1440,900"
LARGE_LETTERS = "--blink-settings=defaultFontSize=32"


@pytest.mark.parametrize("flags", [[PHONE], [DESK], [PHONE, LARGE_LETTERS]])
def test_it_fits_and_is_whole(flags, chromium, page):
    told = laid_out(chromium, page, *flags)
    assert told.pop("pictures") == 6 * [True]
    assert told.pop("mode") == "CSS1Compat"
    assert told == {"fetched": [], "lost": 0, "wider": 0, "broken": [], "cut": []}
