"""``fairseq-memtx prepare language-model`` and ``examples/language_model/prepare-*.sh``.

Every token of the text is there, once; a folder is whole or not there; errors are clear. Where a
test is about something else, fairseq's own program, slow to start, is replaced by one that counts
and keeps what it was given, and ``curl`` by one that copies from a folder.
"""

import bz2
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import ROOT, run, succeed
from fairseq.data import Dictionary, data_utils
from stand_ins import COUNT, preprocess, serve

TEXT = {
    # Blank lines, one of them with a space as in WikiText; an underscore, a backslash, white space
    # that fairseq would throw away or end a line at; characters of several bytes; no last newline.
    "train": "\n = A title = \n \n snake_case \\u005f\\\n\n\ttab\rCR\xa0\u2028\x85\u3000€ 😀\nend",
    "valid": "a\n\nb  c\n",
    "test": "snake_case\n",
}


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Path:
    """A folder with a space in its name, and in it the stand-ins and a copy of the scripts."""
    folder = tmp_path / "my machine"
    stand_in = preprocess(folder)
    serve(folder, monkeypatch)
    (folder / "raw").mkdir()
    for name in ("scripts", "examples/language_model", "examples/translation"):
        shutil.copytree(ROOT / name, folder / "a copy" / name)
    (folder / "a copy/fairseq_memtx").symlink_to(ROOT / "fairseq_memtx")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([stand_in, str(ROOT)]))
    monkeypatch.setenv("PYTHON", sys.executable)
    monkeypatch.chdir(folder)
    return folder


def write(folder: Path, texts: dict[str, str] = TEXT) -> list[object]:
    """Write the files, and return the flags that name them."""
    flags: list[object] = ["prepare", "language-model"]
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode())
        flags += [f"--{name}", folder / name]
    return flags


def refuse(*arguments: object) -> str:
    """Run, and return the one line of an error."""
    result = run("fairseq-memtx", *arguments)
    assert result.returncode == 1, result.stdout
    assert result.stderr.startswith("fairseq-memtx: error: "), result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def record(made: Path) -> dict:
    return json.loads((made / "prepared.json").read_text())


def prepare(name: str, *arguments: object) -> subprocess.CompletedProcess:
    """Run a script of the copy."""
    script = f"a copy/examples/language_model/prepare-{name}.sh"
    command = ["bash", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def make(name: str, *arguments: object) -> str:
    result = prepare(name, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    return result.stdout


def complain(name: str, *arguments: object) -> str:
    """Run a script that has to fail in one line, and leave nothing."""
    before = set(Path.cwd().iterdir())
    result = prepare(name, *arguments)
    assert result.returncode == 1, result.stdout + result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    assert set(Path.cwd().iterdir()) == before
    return result.stderr


def amend(machine: Path, name: str, *changes: tuple[str, str]) -> None:
    """Put sizes and checksums of small files into a script of the copy."""
    path = machine / f"a copy/examples/language_model/prepare-{name}.sh"
    text = path.read_text()
    for pattern, replacement in changes:
        text, times = re.subn(pattern, replacement, text)
        assert times == 1
    path.write_text(text)


def seen(made: Path, split: str) -> str:
    """What fairseq was given of a split, as the text it came from."""
    text = (made / f"seen/{split}.tokens").read_text()
    lines = [line.split() for line in text.splitlines()]
    if record(made)["settings"]["unit"] == "bytes":
        return "".join(bytes(map(int, line)).decode() + "\n" for line in lines)
    return "".join("".join(line).replace("_", " ") + "\n" for line in lines)


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Path:
    """A folder for each unit, made with the real fairseq, all at the same time as it is slow."""
    folder = tmp_path_factory.mktemp("data of mine")
    flags = write(folder)
    # A second training file shows that the first one's end is one of a line.
    (folder / "more").write_text("one more\n")
    flags[4:4] = [folder / "more"]
    units = ("words", "characters", "bytes")
    with ThreadPoolExecutor() as pool:
        outputs = pool.map(
            lambda unit: succeed("fairseq-memtx", *flags, "--unit", unit, "--dest", folder / unit),
            units,
        )
    for unit, output in zip(units, outputs):
        counts = record(folder / unit)["tokens"]
        for name in TEXT:
            assert f"{name}: {counts[name]} tokens ({unit}), " in output
    return folder


def lines_of(made: Path, name: str) -> list[list[str]]:
    """The tokens of a split as fairseq reads them; `TEXT` is known to have as many."""
    dictionary = Dictionary.load(str(made / "dict.txt"))
    data = data_utils.load_indexed_dataset(str(made / name), dictionary)
    lines = [[dictionary[number] for number in line] for line in data]
    assert all(line.index("</s>") == len(line) - 1 for line in lines)
    assert sum(map(len, lines)) == record(made)["tokens"][name]
    return [line[:-1] for line in lines]


def given(name: str) -> str:
    """The text of a split as a whole."""
    return TEXT[name] + ("\none more\n" if name == "train" else "")


def test_words(real):
    assert lines_of(real / "words", "train") == [
        line.split() for line in given("train").split("\n")[:-1]
    ]
    assert lines_of(real / "words", "valid") == [["<unk>"], [], ["<unk>", "<unk>"]]
    assert record(real / "words")["tokens"] == {"train": 21, "valid": 6, "test": 2}
    assert record(real / "words")["unknown"] == {"train": "0.0%", "valid": "50.0%", "test": "0.0%"}


def test_characters(real):
    lines = lines_of(real / "characters", "train")
    tokens = [token for line in lines for token in [*line, "\n"]]
    assert {"_", "\\u005f", "\\u005c", "\\u0009", "\\u000d", "\\u2028", "€"} < set(tokens)
    # Undone in any order, as a token is read as a whole.
    plain = [" " if token == "_" else token for token in tokens]
    plain = [chr(int(token[2:], 16)) if token[0] == "\\" else token for token in plain]
    assert "".join(plain) == given("train")
    for name in TEXT:
        assert record(real / "characters")["tokens"][name] == len(given(name))


def test_bytes(real):
    lines = lines_of(real / "bytes", "train")
    assert b"".join(bytes(map(int, line)) + b"\n" for line in lines) == given("train").encode()
    for name in TEXT:
        assert record(real / "bytes")["tokens"][name] == len(given(name).encode())


def test_folder_is_whole(real):
    for unit in ("words", "characters", "bytes"):
        assert {path.name for path in (real / unit).iterdir()} == {
            "dict.txt", "prepared.json", "preprocess.log",
            *(f"{name}.{ending}" for name in TEXT for ending in ("bin", "idx")),
        }  # fmt: skip
    assert not list(real.glob("*.partial"))


def test_second_run_does_nothing(machine):
    flags = [*write(machine), "--unit", "bytes", "--dest", "made"]
    left_over = machine / "made.partial/left over"
    left_over.mkdir(parents=True)
    assert "made is ready" in succeed("fairseq-memtx", *flags, cwd=machine)
    assert not left_over.parent.exists()
    before = {path: path.stat().st_mtime_ns for path in (machine / "made").rglob("*")}
    again = "made is prepared already, from the same input with the same settings\n"
    assert succeed("fairseq-memtx", *flags, cwd=machine) == again
    assert {path: path.stat().st_mtime_ns for path in (machine / "made").rglob("*")} == before

    digest = hashlib.sha256(TEXT["valid"].encode()).hexdigest()
    assert record(machine / "made")["sha256"]["valid"] == [digest]
    flags[-1] = machine / "made"
    assert "delete it or choose another --dest" in refuse(*flags, "--threshold", 2)
    (machine / "test").write_text("another text\n")
    assert "was not made from this input" in refuse(*flags)


def test_documents(machine):
    """A blank line between files, none at the ends; a rare word's threshold reaches fairseq."""
    flags = write(machine, {"train": "one\ntwo", "valid": "three\n"})
    flags[4:4] = [machine / "valid", machine / "train"]
    flags += ["--unit", "words", "--dest", machine / "made"]
    output = succeed("fairseq-memtx", *flags, "--documents")
    tokens = (machine / "made/seen/train.tokens").read_text()
    assert tokens == "one\ntwo\n\nthree\n\none\ntwo\n"
    assert "train: 12 tokens" in output
    assert "test" not in record(machine / "made")["tokens"]


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("missing", r"missing file: .*/valid$"),
        ("empty", r"/valid: empty file$"),
        ("latin-1", r"/valid, line 2: not UTF-8 \(.*\)$"),
        ("count", r"fairseq-preprocess counts \{'train': 7\} tokens, the text has \{'train': "),
    ],
)
def test_bad_input(machine, what, says):
    flags = [*write(machine), "--unit", "characters", "--dest", machine / "made"]
    if what == "missing":
        (machine / "valid").unlink()
    elif what == "empty":
        (machine / "valid").write_bytes(b"")
    elif what == "latin-1":
        (machine / "valid").write_bytes("good\nMüll\n".encode("latin-1"))
    else:
        program = "print('[None] train.tokens: 2 sents, 7 tokens, 0.0% replaced (by <unk>)')"
        (machine / "stand in/fairseq_cli/preprocess.py").write_text(program)
    assert re.search(says, refuse(*flags).rstrip())
    assert not (machine / "made").exists()


def test_interrupted_run_leaves_no_folder(machine):
    """Ctrl-C ends what was started, and the next run begins anew."""
    started = machine / "started"
    program = machine / "stand in/fairseq_cli/preprocess.py"
    program.write_text(
        f"import os, pathlib, time; pathlib.Path({str(started)!r}).write_text(str(os.getpid())); "
        "time.sleep(60)"
    )
    flags = [str(flag) for flag in [*write(machine), "--unit", "bytes", "--dest", "made"]]
    process = subprocess.Popen(
        [sys.executable, "-m", "fairseq_memtx", *flags],
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore Ctrl-C, and so do all that they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (started.exists() and started.read_text()):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors == "fairseq-memtx: error: stopped; the next start begins anew\n"
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)
    assert not (machine / "made").exists()
    assert not (machine / "made.partial").exists()

    program.write_text(COUNT)
    succeed("fairseq-memtx", *flags, cwd=machine)
    assert (machine / "made/prepared.json").exists()
    assert not (machine / "made.partial").exists()


def page(number: int, redirect: bool = False) -> str:
    tag = '    <redirect title="Page" />\n' if redirect else ""
    text = f"Text of {number}.\n\n    &lt;redirect is no tag here.\n" * 5
    return f"  <page>\n    <title>Page {number}</title>\n{tag}    <text>{text}</text>\n  </page>\n"


def export(pages: str) -> bytes:
    return f"<mediawiki>\n  <siteinfo>\n  </siteinfo>\n{pages}</mediawiki>\n".encode()


def test_enwiki_is_split_by_page(machine):
    """No page is cut, and none that only redirects is left."""
    numbers = range(10, 50)
    pages = "".join(page(number, redirect=number % 2 == 0) for number in numbers)
    (machine / "raw/enwiki-slice.xml.bz2").write_bytes(bz2.compress(export(pages)))
    output = make("enwiki", "raw", "made/")
    assert "20 pages, and 20 left out that only redirect" in output
    kept = [page(number) for number in numbers if number % 2]
    assert seen(machine / "made", "train") == "".join(kept[:18])
    assert seen(machine / "made", "valid") == kept[18]
    assert seen(machine / "made", "test") == kept[19]
    assert f"test: {len(kept[19])} tokens (bytes), 0.0% of them unknown" in output
    assert "made is ready" in output
    assert "is prepared already" in make("enwiki", "raw", "made")
    assert [path.name for path in machine.glob("made*")] == ["made"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, r"prepare-enwiki.sh: error: missing file: raw/enwiki-slice.xml.bz2"),
        (bz2.compress(export(page(1)))[:-40], r"enwiki-slice.xml.bz2: cut-off file"),
        (b"no archive", r"enwiki-slice.xml.bz2: damaged file"),
        (bz2.compress(export(page(1))[:-20]), r"bz2: does not end as an export of MediaWiki does"),
        (bz2.compress(export(page(1))), r"pages: too short, no page begins after byte \d+"),
        (bz2.compress(export("")), r"pages: empty file"),
    ],
)
def test_enwiki_of_another_kind(machine, content, says):
    if content is not None:
        (machine / "raw/enwiki-slice.xml.bz2").write_bytes(content)
    assert re.search(says, complain("enwiki", "raw", "made"))


def articles(count: int) -> str:
    """WikiText, with subheadings and an equation that looks like a heading."""
    article = " \n = Title = \n \n Some text . \n \n = = Part = = \n \n It says : \n = x = \n"
    return article * count + " \n"


def test_wikitext2_is_split_by_article(machine):
    valid, test = articles(20), articles(2)
    sizes = (("3760", "181"), ("4358", "19"))
    amend(machine, "wikitext2", *sizes)
    (machine / "raw/wiki.valid.raw").write_text(valid)
    assert "missing file: raw/wiki.test.raw" in complain("wikitext2", "raw", "made")
    (machine / "raw/wiki.test.raw").write_text(test[:-2])
    error = complain("wikitext2", "raw", "made")
    assert "wiki.test.raw has 18 lines, the official one has 19: it is cut off" in error
    (machine / "raw/wiki.test.raw").write_text(test)
    make("wikitext2", "raw", "made")
    tokens = {name: (machine / f"made/seen/{name}.tokens").read_text() for name in TEXT}
    cleaned = re.sub(r" *\n *", "\n", valid)
    assert tokens["train"] + tokens["valid"] == cleaned
    assert tokens["valid"].startswith("= Title =\n")
    assert tokens["valid"].count("= Title =") == 2
    assert tokens["test"].count("\n") == 19
    assert record(machine / "made")["settings"]["threshold"] == 2
    assert "usage: prepare-wikitext2.sh RAW_FOLDER [DEST]" in prepare("wikitext2").stderr


def test_shakespeare_is_split_by_position(machine):
    text = "".join(f"Line {number} of a_play.\n" for number in range(100, 200))
    (machine / "raw/input.txt").write_text(text)
    error = complain("shakespeare", "raw", "made")
    assert "raw/input.txt is cut off or another text: its checksum is wrong" in error
    checksum = hashlib.sha256(text.encode()).hexdigest()
    amend(machine, "shakespeare", ("[0-9a-f]{64}", checksum))
    (machine / "raw/input.txt").rename(machine / "served/input.txt")
    assert "missing file: raw/input.txt" in complain("shakespeare", "raw", "made")
    output = make("shakespeare", "", "made")
    whole = "".join(seen(machine / "made", name) for name in ("train", "valid", "test"))
    assert whole == text.replace("_", "\\u005f")
    assert "train: 1800 tokens (characters)" in output
    assert "valid: 100 tokens" in output
    assert (machine / "a copy/data-bin/raw/shakespeare/input.txt").read_text() == text


def test_enwik8_is_split_at_bytes(machine):
    text = "".join(f"{number:03}\n" for number in range(250))
    checksum = hashlib.md5(text.encode()).hexdigest()
    archive = machine / "raw/enwik8.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("enwik8", text)
    error = complain("enwik8", "raw", "made")
    assert re.search(r"enwik8 has 1000 bytes, the official one has 100000000: it is cut", error)
    amend(machine, "enwik8", ("c (.*) 100000000", r"c \1 1000"))
    assert "enwik8 is not enwik8: its checksum is another" in complain("enwik8", "raw", "made")
    amend(machine, "enwik8", ("md5=[0-9a-f]{32}", f"md5={checksum}"))
    output = make("enwik8", "raw", "made")
    assert "valid: 51 tokens (bytes)" in output  # the end of the line that is cut
    assert seen(machine / "made", "train") == text[:900]
    assert seen(machine / "made", "valid") == text[900:950] + "\n"
    assert seen(machine / "made", "test") == text[950:]

    whole = archive.read_bytes()
    archive.write_bytes(whole[:-30])
    assert "enwik8.zip: damaged or cut-off archive" in complain("enwik8", "raw", "other")
    (machine / "served/enwik8.zip").write_bytes(whole[:-30])
    assert "enwik8.zip is not what was expected, and was deleted" in complain("enwik8")
    (machine / "served/enwik8.zip").write_bytes(whole)
    make("enwik8", "", "made")
    archive.unlink()
    assert "neither enwik8 nor raw/enwik8.zip is there" in complain("enwik8", "raw", "other")
    (machine / "raw/enwik8").write_text(text)
    assert "is prepared already" in make("enwik8", "raw", "made")


def test_wikitext103(machine):
    sizes = (("1801350", "91"), ("3760", "10"), ("4358", "19"))
    amend(machine, "wikitext103", *sizes)
    texts = {"train": articles(10), "valid": articles(1), "test": articles(2)}
    with zipfile.ZipFile(machine / "served/wikitext-103-v1.zip", "w") as packed:
        for name, text in texts.items():
            packed.writestr(f"wikitext-103/wiki.{name}.tokens", text)
    assert "v1.zip is not what was expected, and was deleted" in complain("wikitext103")
    shutil.move(machine / "served/wikitext-103-v1.zip", machine / "raw")
    output = make("wikitext103", "raw", "made")
    count = sum(len(line.split()) + 1 for line in texts["train"].splitlines())
    assert f"train: {count} tokens (words)" in output
    assert record(machine / "made")["settings"]["threshold"] == 1

    (machine / "mine/unpacked").mkdir(parents=True)
    for name, text in texts.items():
        (machine / f"mine/unpacked/wiki.{name}.raw").write_text(text)
    make("wikitext103", "mine", "raw words")
    assert record(machine / "raw words")["settings"]["threshold"] == 3
    shutil.rmtree(machine / "made")
    (machine / "mine/unpacked/wiki.train.raw").write_text(texts["train"][:-1])
    error = complain("wikitext103", "mine", "made")
    assert "wiki.train.raw has 90 lines, the official one has 91" in error
    (machine / "empty").mkdir()
    error = complain("wikitext103", "empty", "made")
    assert "missing file: neither wiki.train.tokens nor empty/wikitext-103-v1.zip" in error
