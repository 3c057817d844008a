"""``examples/translation/prepare-*.sh``, on small files in the official formats.

fairseq's own program, slow to start, is replaced by one that keeps the words it was given, and
``curl`` by one that copies from a folder.
"""

import gzip
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from conftest import ROOT
from stand_ins import preprocess, serve

EXAMPLES = ROOT / "examples/translation"
IWSLT_TESTS = ["TED.dev2010", "TEDX.dev2012", "TED.tst2010", "TED.tst2011", "TED.tst2012"]


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Path:
    """A folder with a space in its name, where commands find the stand-ins."""
    folder = tmp_path / "my machine"
    monkeypatch.setenv("PYTHONPATH", preprocess(folder))
    serve(folder, monkeypatch)
    monkeypatch.setenv("PYTHON", sys.executable)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def repository(machine) -> Path:
    """A copy of the scripts, so that a download does not go into this repository."""
    for folder in ("scripts", "examples/translation"):
        shutil.copytree(ROOT / folder, machine / "a copy" / folder)
    (machine / "a copy/fairseq_memtx").symlink_to(ROOT / "fairseq_memtx")
    return machine / "a copy"


def prepare(name: str, *arguments: object, examples: Path = EXAMPLES):
    command = ["bash", str(examples / f"prepare-{name}.sh"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def succeed(name: str, *arguments: object, **options) -> subprocess.CompletedProcess:
    result = prepare(name, *arguments, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result


def refuse(name: str, *arguments: object, **options) -> str:
    """Run, and return the one line of an error after notes, if any."""
    result = prepare(name, *arguments, **options)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    *notes, error = result.stderr.splitlines()
    assert all(": note: " in line for line in notes), result.stderr
    assert ": error: " in error
    return error


def settings(made: Path) -> dict:
    return json.loads((made / "prepared.json").read_text())["settings"]


def words(made: Path, name: str) -> list[str]:
    return (made / f"seen/{name.replace('.', '.words.')}").read_text().splitlines()


def numbered(word: str, count: int) -> str:
    return "".join(f"{word} {number}\n" for number in range(1, count + 1))


def tar(path: Path, files: dict[str, str]) -> None:
    """An archive ``.tgz`` of texts."""
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))


def multi30k(folder: Path, packed: bool, names=("train", "val", "test_2016_flickr")) -> Path:
    folder.mkdir(exist_ok=True)
    for count, name in enumerate(names, start=9):
        for language, word in (("de", "Hund"), ("en", "dog")):
            text = numbered(f"{name} {word}", count).encode()
            path = folder / f"{name}.{language}{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(text, mtime=0) if packed else text)
    return folder


def iwslt() -> dict[str, str]:
    """The files of ``de-en.tgz``."""
    files = {"de-en/README": "About TED talks"}
    for language, word in (("de", "Satz"), ("en", "sentence")):
        talk = [
            "<url>http://www.ted.com/talks/1</url>",
            f"<speaker>{word}</speaker>",
            "<talkid>1</talkid>",
            f"<title>Title &amp; {word}</title>",
            f"<description>About a {word}</description>",
            "<keywords>talks</keywords>",
            "" if language == "en" else "Ohne Partner",
            *(f" {word}  nummer {number}" for number in range(1, 60)),
            '<reviewer href="http://ted.com/1">Somebody</reviewer>',
        ]
        files[f"de-en/train.tags.de-en.{language}"] = "\n".join(talk) + "\n"
        for name in IWSLT_TESTS:
            segments = "".join(
                f'<seg id="{number}"> {name} &quot;{word}&quot; {number} </seg>\n'
                for number in (1, 2)
            )
            text = f'<?xml version="1.0"?>\n<doc docid="1">\n<title>T</title>\n{segments}</doc>\n'
            files[f"de-en/IWSLT14.{name}.de-en.{language}.xml"] = text
    return files


def wmt(folder: Path) -> Path:
    """The five archives of WMT14."""
    folder.mkdir()
    sides = (("en", "word"), ("de", "Wort"))

    def texts(stem: str, count: int) -> dict[str, str]:
        return {f"{stem}.{side}": numbered(f"{stem}-{word}", count) for side, word in sides}

    other = {"training/europarl-v7.fr-en.en": "French is not wanted\n"}
    europarl = {**other, **texts("training/europarl-v7.de-en", 5)}
    tar(folder / "training-parallel-europarl-v7.tgz", europarl)
    tar(folder / "training-parallel-commoncrawl.tgz", texts("commoncrawl.de-en", 4))
    tar(folder / "training-parallel-nc-v9.tgz", texts("training/news-commentary-v9.de-en", 3))
    tar(folder / "dev.tgz", texts("dev/newstest2013", 2))
    test = {
        f"test-full/newstest2014-deen-{side}.sgm": f'<doc docid="1">\n<hl>\n<seg id="1">{word} & '
        f'co</seg>\n</hl>\n<SEG id="2">{word} &lt;two&gt;</SEG>\n</doc>\n'
        for side, word in (("src.en", "Word"), ("ref.de", "Wort"))
    }
    tar(folder / "test-full.tgz", test)
    return folder


def test_multi30k_from_ones_own_files(machine):
    raw = multi30k(machine / "raw", packed=False)
    result = succeed("multi30k", "raw", "bin/made")
    assert "without test_2017_flickr there is one test set only" in result.stderr
    assert settings(machine / "bin/made")["bpe_size"] == 8000
    assert words(machine / "bin/made", "test.de")[0] == "test _ 2016 _ flickr Hund 1"
    (raw / "val.de").unlink()
    error = refuse("multi30k", raw, "bin/other")
    assert re.search(r"missing file: neither .*val\.de nor .*val\.de\.gz exists", error)
    assert refuse("multi30k", "nowhere") == "prepare-multi30k.sh: error: no folder nowhere"


def test_multi30k_downloads_once_and_checks(machine, repository):
    names = ("train", "val", "test_2016_flickr", "test_2017_flickr")
    served = multi30k(machine / "served", packed=True, names=names)
    examples = repository / "examples/translation"
    downloaded = repository / "data-bin/raw/multi30k"

    error = refuse("multi30k", examples=examples)
    assert "train.de.gz is not what was expected, and was deleted" in error
    assert list(downloaded.iterdir()) == []

    script = examples / "prepare-multi30k.sh"
    text = script.read_text()
    for path in served.glob("*.gz"):
        checksum = hashlib.sha256(path.read_bytes()).hexdigest()
        text, times = re.subn(
            rf"[0-9a-f]{{64}} {re.escape(path.name)}", f"{checksum} {path.name}", text
        )
        assert times == 1
    script.write_text(text)
    missing = served / "val.de.gz"
    missing.rename(machine / "away")
    error = refuse("multi30k", examples=examples)
    assert re.search(r"error: could not download https://.*/data/task1/raw/val\.de\.gz;", error)
    assert error.endswith(f"name its folder: bash {script} FOLDER")
    assert "delete" not in error, "nothing of it came"
    assert not (repository / "data-bin/multi30k").exists()

    (machine / "away").rename(missing)
    result = succeed("multi30k", examples=examples)
    assert result.stderr == ""
    assert len(words(repository / "data-bin/multi30k", "test1.en")) == 12
    log = (served / "log").read_text().splitlines()
    assert (
        log.count(
            "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/train.en.gz"
        )
        == 1
    )
    assert "is prepared already" in succeed("multi30k", examples=examples).stdout
    assert (served / "log").read_text().splitlines() == log

    (downloaded / "val.en.gz").write_bytes(gzip.compress(numbered("my own", 10).encode()))
    result = succeed("multi30k", downloaded, "made", examples=examples)
    assert "val.en.gz is not the official file" in result.stderr
    assert result.stderr.count("\n") == 1


def test_iwslt14_text(machine):
    """The split, the order of the test sets, and what is left of the tags."""
    raw = machine / "raw"
    raw.mkdir()
    tar(raw / "de-en.tgz", iwslt())
    result = succeed("iwslt14", "raw", machine / "data/made/")
    made = machine / "data/made"
    assert "the test set has 10 pairs, the official one has 6750" in result.stderr
    assert settings(made) == {
        "source": "de",
        "target": "en",
        "bpe_size": 10000,
        "lowercase": True,
        "dash_splits": False,
        "max_length": 175,
        "max_ratio": 1.5,
    }
    # Two sentences about the talk come first, so that the 23rd pair is number 21; the half-empty
    # pair between them does not count.
    assert words(made, "valid.en") == ["sentence nummer 21", "sentence nummer 44"]
    train = words(made, "train.de")
    assert train[:3] == ["title &amp; satz", "about a satz", "satz nummer 1"]  # & is escaped
    assert len(train) == 2 + 59 - 2
    assert not any("ted.com" in line or "somebody" in line for line in train)
    expected = [f'{name} "satz" {number}'.lower() for name in IWSLT_TESTS for number in (1, 2)]
    assert (made / "raw/test.de").read_text().splitlines() == expected
    assert [path.name for path in made.parent.iterdir()] == ["made"]

    # The files of the archive do as well as the archive, and a second run has nothing to do.
    with tarfile.open(raw / "de-en.tgz") as archive:
        archive.extractall(machine / "unpacked", filter="data")
    (machine / "link").symlink_to("unpacked")
    assert "is prepared already" in succeed("iwslt14", "link", made).stdout


def test_iwslt14_download(machine, repository):
    examples = repository / "examples/translation"
    archive = machine / "served/de-en.tgz"
    tar(archive, iwslt())
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    error = refuse("iwslt14", examples=examples)
    assert "iwslt14/de-en.tgz is not what was expected, and was deleted" in error

    archive.write_bytes(whole)
    error = refuse("iwslt14", "", "made", examples=examples)
    assert "error: the test set has 10 pairs, the official one has 6750" in error
    assert not list(machine.glob("made*"))

    script = examples / "prepare-iwslt14.sh"
    script.write_text(script.read_text().replace("6750", "10"))
    assert succeed("iwslt14", "", "made", examples=examples).stderr == ""
    assert len(words(machine / "made", "test.de")) == 10
    assert len((machine / "served/log").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("no file", r"missing file: neither .*tst2012.* nor raw/de-en\.tgz is there"),
        ("cut archive", r"raw/de-en\.tgz: damaged or cut-off archive"),
        ("poor archive", r"raw/de-en\.tgz: has no file IWSLT14\.TED\.tst2011\.de-en\.de\.xml"),
        ("shorter side", r"train\.tags\.de-en\.en ends after 5\d sentences, .*de-en\.de has more"),
        ("cut segment", r"tst2010\.de-en\.de\.xml: a <seg> has no end, the file is cut off"),
        ("latin-1", r"train\.tags\.de-en\.de, line 1: not UTF-8"),
    ],
)
def test_iwslt14_bad_files(machine, what, says):
    raw, files = machine / "raw", iwslt()
    (raw / "de-en").mkdir(parents=True)
    if what == "no file":
        files = {name: text for name, text in files.items() if "tst2012" not in name}
    elif what == "poor archive":
        files.pop("de-en/IWSLT14.TED.tst2011.de-en.de.xml")
    elif what == "shorter side":
        files["de-en/train.tags.de-en.en"] = files["de-en/train.tags.de-en.en"][:-200]
    elif what == "cut segment":
        name = "de-en/IWSLT14.TED.tst2010.de-en.de.xml"
        files[name] = files[name][: files[name].rindex("</seg>")]
    if what in ("cut archive", "poor archive"):
        tar(raw / "de-en.tgz", files)
        if what == "cut archive":
            whole = (raw / "de-en.tgz").read_bytes()
            (raw / "de-en.tgz").write_bytes(whole[: len(whole) // 2])
    else:
        for name, text in files.items():
            (raw / name).write_text(text)
    if what == "latin-1":
        (raw / "de-en/train.tags.de-en.de").write_bytes("größer\n".encode("latin-1"))
    assert re.search(says, refuse("iwslt14", "raw", "made"))
    assert not list(machine.glob("made*"))


def test_wmt14_text(machine):
    raw = wmt(machine / "raw")
    result = succeed("wmt14en2de", raw, "made")
    assert "newstest2013 has 2 pairs, the official one has 3000" in result.stderr
    assert "newstest2014 has 2 pairs, the official one has 3003" in result.stderr
    made = machine / "made"
    assert settings(made) == {
        "source": "en",
        "target": "de",
        "bpe_size": 40000,
        "lowercase": False,
        "dash_splits": True,
        "max_length": 250,
        "max_ratio": 1.5,
    }
    train = words(made, "train.de")
    assert len(train) == 5 + 4 + 3
    assert train[0].endswith("de @-@ en @-@ Wort 1")
    assert (made / "raw/test.en").read_text() == "Word & co\nWord <two>\n"
    assert words(made, "valid.en")[1] == "dev / newstest2013 @-@ word 2"
    assert not list(machine.glob("made.*"))

    (raw / "dev.tgz").unlink()
    error = refuse("wmt14en2de", raw, "other")
    assert re.search(r"missing file: neither newstest2013\.de nor .*/dev\.tgz is there", error)


def test_wmt14_download_is_checked(machine, repository):
    wmt(machine / "served/archives")
    for path in (machine / "served/archives").iterdir():
        shutil.move(path, machine / "served")
    error = refuse("wmt14en2de", examples=repository / "examples/translation")
    assert "wmt13/training-parallel-europarl-v7.tgz is not what was expected" in error
    assert list((repository / "data-bin/raw/wmt14").iterdir()) == []


def test_which_python(machine, repository, monkeypatch):
    """PYTHON if it is set, else the repository's environment, else the one on PATH."""
    multi30k(machine / "raw", packed=False)
    examples = repository / "examples/translation"

    def python(path: Path) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('#!/bin/sh\necho "this is $0"\n')
        path.chmod(0o755)
        return f"this is {path}\n"

    mine = python(machine / "mine/python3")
    on_path = python(machine / "bin/python")
    in_repository = python(repository / ".venv/bin/python")
    monkeypatch.setenv("PYTHON", str(machine / "mine/python3"))
    assert succeed("multi30k", "raw", examples=examples).stdout == mine
    monkeypatch.delenv("PYTHON")
    assert succeed("multi30k", "raw", examples=examples).stdout == in_repository
    shutil.rmtree(repository / ".venv")
    assert succeed("multi30k", "raw", examples=examples).stdout == on_path
    monkeypatch.setenv("PYTHON", "no-such-python")
    error = refuse("multi30k", "raw", examples=examples)
    assert "error: no Python at 'no-such-python'; set PYTHON=/path/to/python" in error
