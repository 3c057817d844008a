"""``fairseq-memtx translate``: plain text in and out, as the hub interface of fairseq gives it."""

import io
import sys
from argparse import Namespace

import pytest
from conftest import memtx
from fairseq.tasks.translation import TranslationTask
from generation.saved_models import save_model

from fairseq_memtx.models.mem_transformer import MemoryTransformerModel

pytestmark = pytest.mark.training  # subword-nmt and fairseq-preprocess take seconds
LINES = ["Die Bibliothek hat 12 Bücher & mehr.", "", "Am Freitag, um halb zwei!"]
SHORT = ["--cpu", "--max-len-b", 12]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With ``data`` as the recipes prepare it, and ``model.pt``, whose weights are random."""
    folder = tmp_path_factory.mktemp("translations")
    assert memtx("prepare", "numbers", folder, "--pairs", 200, "--held-out", 4) == 0
    files = {"train": "train", "valid": "val", "test": "test"}
    sets = [f"--{name}={folder / file}" for name, file in files.items()]
    languages = ["--source", "de", "--target", "en"]
    flags = [*languages, *sets, "--bpe-size", 250, "--dest", folder / "data"]
    assert memtx("prepare", "translation", *flags) == 0
    sizes = "--arch mem_transformer_tiny --max-source-positions 60"
    pair = ["--source-lang", "de", "--target-lang", "en"]
    save_model(folder / "data", folder / "model.pt", *pair, *sizes.split())
    return folder


def translated(capsys, *arguments) -> list[str]:
    capsys.readouterr()
    assert memtx("translate", *SHORT, *arguments) == 0
    return capsys.readouterr().out.splitlines()


@pytest.fixture(scope="module")
def expected(folder) -> list[str]:
    """By the hub interface, with all that a user would have to say."""
    hub = MemoryTransformerModel.from_pretrained(
        str(folder), "model.pt", str(folder / "data"), tokenizer="moses", bpe="subword_nmt",
        moses_no_dash_splits=True, bpe_codes=str(folder / "data/bpecodes"),
    )  # fmt: skip
    first, last = hub.translate([LINES[0], LINES[2]], beam=3, max_len_b=12)
    return [first, "", last]


def test_lines_of_files_and_of_standard_input(folder, expected, capsys, monkeypatch, tmp_path):
    files = [tmp_path / name for name in ("first", "rest")]
    files[0].write_text(f"{LINES[0]}\r\n", encoding="utf-8-sig")
    files[1].write_text("\n".join(LINES[1:]), encoding="utf-8")
    model = folder / "model.pt"
    assert translated(capsys, model, *files, "--beam", 3) == expected
    assert not any("@@" in line or "&amp;" in line for line in expected)
    assert translated(capsys, model, *files, "--beam", 3, "--batch-size", 1) == expected
    typed = io.BytesIO("\n".join(LINES).encode())
    monkeypatch.setattr(sys, "stdin", Namespace(buffer=typed, isatty=lambda: True))
    assert translated(capsys, model, "--beam", 3) == expected


def test_flags_of_the_search_reach_it(folder, expected, capsys, monkeypatch, tmp_path):
    asked = {"beam": 2, "lenpen": 0.5, "min_len": 3, "max_len_a": 2.0, "max_len_b": 5}
    asked["no_repeat_ngram_size"] = 1
    generators = []

    def build(task, models, settings, *more, **others):
        generators.append(settings)
        return unmended(task, models, settings, *more, **others)

    unmended = TranslationTask.build_generator
    monkeypatch.setattr(TranslationTask, "build_generator", build)
    (tmp_path / "text").write_text("\n".join(LINES))
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in asked.items()]
    texts = translated(capsys, folder / "model.pt", tmp_path / "text", *flags)
    assert {name: generators[0][name] for name in asked} == asked
    assert texts != expected


def test_a_folder_without_a_record(folder, capsys, caplog, tmp_path):
    """Its pieces are joined, and a line says how text is to be given."""
    data = tmp_path / "data"
    data.mkdir()
    for file in (folder / "data").glob("dict.*"):
        (data / file.name).write_bytes(file.read_bytes())
    (tmp_path / "text").write_text("ein@@ s zwei\n")
    (line,) = translated(capsys, folder / "model.pt", tmp_path / "text", "--data", data)
    assert "@@" not in line
    assert "has no prepared.json: give lines that are cut into its pieces ('@@ ')" in caplog.text


def test_what_cannot_be_translated(folder, capsys, tmp_path):
    (tmp_path / "long").write_text("kurz\n" + "Freitag " * 80 + "\n")
    (tmp_path / "latin").write_bytes("B\xfccher\n".encode("latin-1"))
    for name, says in [("long", "long, line 2 has "), ("latin", "latin, line 1: not UTF-8")]:
        assert memtx("translate", folder / "model.pt", tmp_path / name, *SHORT) == 1
        line = capsys.readouterr().err
        assert says in line
        assert line.count("\n") == 1
        assert "--skip" not in line, "a flag of other commands"
    with pytest.raises(SystemExit):
        memtx("translate", folder / "model.pt", tmp_path / "nowhere")
    assert f"there is no file {tmp_path}/nowhere" in capsys.readouterr().err


def test_a_language_model_is_another_thing(folder, capsys, tmp_path):
    flags = "--task facts_in_noise --arch rmt_lm_tiny --tokens-per-sample 32"
    save_model(None, tmp_path / "model.pt", *flags.split())
    assert memtx("translate", tmp_path / "model.pt") == 1
    assert "fairseq-memtx write for language models" in capsys.readouterr().err
    assert memtx("write", folder / "model.pt", "abc") == 1
    assert "fairseq-memtx translate for translations" in capsys.readouterr().err
