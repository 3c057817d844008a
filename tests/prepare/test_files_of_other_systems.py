"""Text that is prepared: a mark at a file's start and Windows' ends of lines change nothing."""

import codecs
import gzip
import json
from pathlib import Path

import pytest
from conftest import memtx
from stand_ins import preprocess

TEXT = "The first line, a_b\n\n = two words = \nand\ttabs, the end.\n" * 3
SYSTEMS = {
    "mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "Windows": lambda text: text.replace("\n", "\r\n").encode(),
    "both": lambda text: codecs.BOM_UTF8 + text.replace("\n", "\r\n").encode(),
    "both, no last end": lambda text: codecs.BOM_UTF8 + text.replace("\n", "\r\n").encode()[:-2],
    "three files in one": lambda text: (codecs.BOM_UTF8 + text[: len(text) // 3].encode()) * 3,
}


@pytest.fixture(autouse=True)
def quick(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", preprocess(tmp_path))


def seen(folder: Path) -> dict[str, bytes]:
    """What fairseq was given, and the files of a BPE."""
    files = [*folder.rglob("seen/*"), *folder.glob("bpe*"), *folder.glob("raw/*")]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("unit", ["words", "characters", "bytes", "pieces"])
def test_language_models(unit, system, tmp_path):
    flags = ["--unit", unit, *(["--bpe-size", 60] if unit == "pieces" else [])]
    for name, content in {"plain": TEXT.encode(), "other": SYSTEMS[system](TEXT)}.items():
        (tmp_path / name).write_bytes(content)
        files = ["--train", tmp_path / name, "--valid", tmp_path / name]
        dest = tmp_path / f"made {name}"
        assert memtx("prepare", "language-model", *flags, *files, "--dest", dest) == 0
    assert seen(tmp_path / "made plain") == seen(tmp_path / "made other")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("system", ["mark", "Windows", "both"])
def test_translation(system, packed, tmp_path):
    """Every sentence stands beside its translation, whatever else Python would split at."""
    german = "Das ist\x0b ein Satz.\nNoch\x85 einer\x1c\u2028, mein Herr.\n" * 3
    english = "That is a sentence.\nOne more, sir.\n" * 3
    for name in ("plain", "other"):
        convert = SYSTEMS[system] if name == "other" else str.encode
        for language, text in (("de", german), ("en", english)):
            file = tmp_path / f"{name}.{language}"
            file.write_bytes(convert(text))
            if packed:
                file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
                file.unlink()
        flags = ["--source", "de", "--target", "en", "--bpe-size", 60]
        for split in ("train", "valid", "test"):
            flags += [f"--{split}", tmp_path / name]
        assert memtx("prepare", "translation", *flags, "--dest", tmp_path / f"made {name}") == 0
    plain = seen(tmp_path / "made plain")
    assert plain == seen(tmp_path / "made other")
    assert plain["seen/train.words.de"].count(b"\n") == 6


@pytest.mark.parametrize("system", ["mark", "Windows", "both", "both, no last end"])
def test_classification(system, tmp_path):
    table = "sentence\tlabel\nThe <pad> film </s>\t</s>\n\u2028好电影\t<pad>\n"
    model = tmp_path / "model"
    model.mkdir()
    (model / "dict.txt").write_text("film 1\n")
    columns = ["--columns", "sentence", "label", "--header", "--inputs", "sentence"]
    columns += ["--classes", "<pad>", "</s>", "--pretrained", model]
    for name, content in {"plain": table.encode(), "other": SYSTEMS[system](table)}.items():
        (tmp_path / name).write_bytes(content)
        files = ["--train", tmp_path / name, "--valid", tmp_path / name]
        dest = tmp_path / f"made {name}"
        assert memtx("prepare", "classification", *columns, *files, "--dest", dest) == 0
    plain = seen(tmp_path / "made plain")
    assert plain == seen(tmp_path / "made other")
    sentences = plain["input0/seen/train.tokens"].decode()
    assert sentences == "The <pad>\\ film </s>\\\n好 电 影\n"
    assert plain["label/seen/train.tokens"] == b"</s>\\\n<pad>\\\n"
    assert plain["label/seen/dict.txt"] == b"<pad>\\ 1\n</s>\\ 1\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le"])
@pytest.mark.parametrize("unit", ["words", "characters", "bytes"])
def test_other_encodings_end_in_one_line(unit, encoding, tmp_path, capsys):
    (tmp_path / "text").write_bytes(TEXT.encode(encoding))
    files = ["--train", tmp_path / "text", "--valid", tmp_path / "text"]
    dest = tmp_path / "made"
    code = memtx("prepare", "language-model", "--unit", unit, *files, "--dest", dest)
    if unit == "bytes" and encoding == "utf-16-le":
        assert code == 0  # without a mark these are bytes like others
        return
    assert code == 1
    error = capsys.readouterr().err
    assert "UTF-16" in error
    assert error.count("\n") == 1
    assert not dest.exists()


def test_words_of_a_language_model_that_are_like_symbols(tmp_path):
    """Only <unk> is what WikiText means by it; to a BPE it is text like the others."""
    (tmp_path / "text").write_text("a </s> <pad> <unk> b@@ @@ madeupword0000 <s>\n" * 3)
    files = ["--train", tmp_path / "text", "--valid", tmp_path / "text"]
    assert (
        memtx("prepare", "language-model", "--unit", "words", *files, "--dest", tmp_path / "w") == 0
    )
    words = (tmp_path / "w/seen/train.tokens").read_text().split("\n")[0]
    assert words == "a </s>\\ <pad>\\ <unk> b@@\\ @@\\ madeupword0000\\ <s>\\"
    flags = ["--unit", "pieces", "--bpe-size", 400, *files, "--dest", tmp_path / "p"]
    assert memtx("prepare", "language-model", *flags) == 0
    pieces = (tmp_path / "p/seen/train.tokens").read_text().split("\n")[0]
    assert not {"</s>", "<pad>", "<unk>", "@@", "<s>"} & set(pieces.split())
    assert pieces.replace("@@ ", "") == words.replace("<unk>", "<unk>\\")
    record = json.loads((tmp_path / "p/prepared.json").read_text())["text"]
    assert record["unit"] == "pieces"
