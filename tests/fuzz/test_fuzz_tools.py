"""Tables, texts and models of Hugging Face through the commands that make folders of them.

A folder is whole or not there. fairseq's own program is called in this process, since it takes
seconds to start.
"""

import io
import json
import logging
import os
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import mutations
import pytest
import torch
from conftest import memtx
from fairseq import options
from fairseq.data import Dictionary, data_utils
from fairseq.data.encoders.gpt2_bpe_utils import bytes_to_unicode
from fairseq_cli import preprocess as fairseq_preprocess
from hypothesis import strategies as st
from referee import Line, write
from safetensors.torch import save

from fairseq_memtx.prepare import folder as prepared_folder

pytestmark = pytest.mark.fuzz


def preprocess_here(flags: list[str], work: Path) -> list[str]:
    """As `prepared_folder.lines_of_preprocess`, in this process."""
    parser = options.get_preprocessing_parser()
    before, handlers = Path.cwd(), list(fairseq_preprocess.logger.handlers)
    listener = logging.Handler()
    lines: list[str] = []
    listener.emit = lambda record: lines.append(f"x | {record.getMessage()}\n")
    fairseq_preprocess.logger.addHandler(listener)
    os.chdir(work)
    try:
        fairseq_preprocess.main(parser.parse_args([*flags, "--destdir", "..", "--workers", "1"]))
    finally:
        os.chdir(before)
        fairseq_preprocess.logger.handlers[:] = handlers
    return lines


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """All commands binarise with `preprocess_here`."""
    monkeypatch.setattr(prepared_folder, "lines_of_preprocess", preprocess_here)
    monkeypatch.setattr(logging, "disable", lambda level: None)
    monkeypatch.setattr(fairseq_preprocess.logger, "level", logging.INFO)


def called(command: tuple[str, ...], flags: list[object], dest: Path) -> None:
    """Call a command; it makes ``dest``, or ends in one line and leaves nothing there."""
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(io.StringIO()):
        try:
            code = memtx(*command, *flags)
        except SystemExit as end:
            code = end.code
    assert not dest.with_name(f"{dest.name}.partial").exists()
    if code == 0:
        assert dest.exists()
        return
    assert not dest.exists(), "what was written looks whole"
    raise Line(said.getvalue().strip())


def loads(folder: Path, *sets: str) -> None:
    """Sets of a folder can be read with their dictionary."""
    for name in sets:
        place = folder / name
        dictionary = Dictionary.load(str(place.parent / "dict.txt"))
        assert len(data_utils.load_indexed_dataset(str(place), dictionary))


TEXT = "One two, three.\n\nTwo  cats -- ein Käse!\n = Title = \nthe end of the end\n".encode()
TEXTS = {"train.txt": TEXT * 3, "valid.txt": TEXT}


@pytest.mark.parametrize("unit", ["words", "characters", "bytes", "pieces"])
def test_text_of_language_models(fuzz, unit):
    size = ["--bpe-size", 30] if unit == "pieces" else []

    def case(folder: Path, files: dict[str, bytes]) -> None:
        write(folder, files)
        flags = ["--unit", unit, "--train", folder / "train.txt", "--valid", folder / "valid.txt"]
        dest = folder / "dest"
        called(("prepare", "language-model"), [*flags, *size, "--dest", dest], dest)
        loads(dest, "train", "valid")

    fuzz(f"text, {unit}", mutations.broken(TEXTS), case, share=0.5)


SIDES = {
    "train.de": "Ein Hund .\nZwei Katzen schlafen .\nDer Käse ist gut .\n".encode() * 2,
    "train.en": b"A dog .\nTwo cats sleep .\nThe cheese is good .\n" * 2,
    "valid.de": b"Ein Hund schl\xc3\xa4ft .\n",
    "valid.en": b"A dog sleeps .\n",
}


def test_parallel_text(fuzz):
    def case(folder: Path, files: dict[str, bytes]) -> None:
        write(folder, files)
        flags = ["--source", "de", "--target", "en", "--bpe-size", 40, "--dest", folder / "dest"]
        for split, prefix in (("train", "train"), ("valid", "valid"), ("test", "valid")):
            flags += [f"--{split}", folder / prefix]
        called(("prepare", "translation"), flags, folder / "dest")
        for side in ("de", "en"):
            Dictionary.load(str(folder / f"dest/dict.{side}.txt"))

    fuzz("parallel text", mutations.broken(SIDES), case, share=0.5)


TABLE = "good film\tA\nbad film , very bad\tB\nKäse\tA\n".encode()
ENCODER = {
    piece: number for number, piece in enumerate([*bytes_to_unicode().values(), "fi", "fil"])
}
PRETRAINED = {
    "words": {"dict.txt": b"good 3\nfilm 3\nbad 2\n, 1\n"},
    "pieces": {
        "dict.txt": b"fi@@ 3\nlm 3\nb@@ 2\na@@ 1\nd 1\n",
        "bpecodes": b"#version: 0.2\nf i\nl m</w>\n",
        "prepared.json": json.dumps({"settings": {"unit": "pieces", "lowercase": True}}).encode(),
    },
    "bytes": {
        "dict.txt": "".join(f"{number} 1\n" for number in ENCODER.values()).encode(),
        "encoder.json": json.dumps(ENCODER).encode(),
        "vocab.bpe": b"#version: 0.2\nf i\nfi l\n",
    },
}


@pytest.mark.parametrize("unit", PRETRAINED)
def test_tables(fuzz, unit):
    pretrained = {f"pretrained/{name}": content for name, content in PRETRAINED[unit].items()}
    files = {"train.tsv": TABLE * 2, "valid.tsv": TABLE, **pretrained}

    def case(folder: Path, files: dict[str, bytes]) -> None:
        write(folder, files)
        flags = ["--pretrained", folder / "pretrained", "--columns", "sentence", "label"]
        flags += ["--inputs", "sentence", "--classes", "A", "B", "--dest", folder / "dest"]
        flags += ["--train", folder / "train.tsv", "--valid", folder / "valid.tsv"]
        called(("prepare", "classification"), flags, folder / "dest")
        loads(folder / "dest", "input0/train", "input0/valid", "label/train", "label/valid")

    fuzz(f"tables, {unit}", mutations.broken(files), case, share=0.5)


MERGES = ["Ġ t", "h e", "Ġt he"]
ROBERTA = {
    "model_type": "roberta", "vocab_size": 0, "hidden_size": 4, "num_hidden_layers": 1,
    "num_attention_heads": 2, "intermediate_size": 4, "max_position_embeddings": 8,
    "type_vocab_size": 1, "pad_token_id": 1, "layer_norm_eps": 1e-5,
}  # fmt: skip


def hugging_face() -> dict[str, bytes]:
    """The files of a tiny model."""
    pieces = [*bytes_to_unicode().values(), *(merge.replace(" ", "") for merge in MERGES)]
    words = ["<s>", "<pad>", "</s>", "<unk>", *pieces, "<|endoftext|>", "<mask>"]
    config = {**ROBERTA, "vocab_size": len(words)}
    shapes = {
        "embeddings.word_embeddings.weight": (len(words), 4),
        "embeddings.position_embeddings.weight": (8, 4),
        "embeddings.token_type_embeddings.weight": (1, 4),
        "embeddings.LayerNorm.weight": (4,),
        "embeddings.LayerNorm.bias": (4,),
    }
    for part in (
        "attention.self.query", "attention.self.key", "attention.self.value",
        "attention.output.dense", "intermediate.dense", "output.dense",
    ):  # fmt: skip
        shapes[f"encoder.layer.0.{part}.weight"] = (4, 4)
        shapes[f"encoder.layer.0.{part}.bias"] = (4,)
    for part in ("attention.output.LayerNorm", "output.LayerNorm"):
        shapes[f"encoder.layer.0.{part}.weight"] = (4,)
        shapes[f"encoder.layer.0.{part}.bias"] = (4,)
    return {
        "config.json": json.dumps(config).encode(),
        "model.safetensors": save({name: torch.ones(shape) for name, shape in shapes.items()}),
        "vocab.json": json.dumps({word: row for row, word in enumerate(words)}).encode(),
        "merges.txt": "\n".join(["#version: 0.2", *MERGES, ""]).encode(),
        "tokenizer_config.json": b'{"add_prefix_space": true}',
    }


FORMER = ("vocab.json", "merges.txt")


def tokenizer(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same with the tokenizer in one file, as newer versions write it."""
    model = {"vocab": json.loads(files["vocab.json"]), "merges": MERGES}
    one = {"model": model, "added_tokens": [{"content": "<mask>", "id": 261}]}
    one["added_tokens"][0]["id"] = model["vocab"]["<mask>"]
    kept = {name: content for name, content in files.items() if name not in FORMER}
    return {**kept, "tokenizer.json": json.dumps(one).encode()}


@pytest.mark.parametrize("form", [dict, tokenizer], ids=["two files", "one file"])
def test_models_of_hugging_face(fuzz, form):
    def case(folder: Path, files: dict[str, bytes]) -> None:
        write(folder / "hf", files)
        called(("convert", "hf-roberta"), [folder / "hf", folder / "dest"], folder / "dest")
        Dictionary.load(str(folder / "dest/dict.txt"))

    fuzz(f"models of Hugging Face, {form.__name__}", mutations.broken(form(hugging_face())), case)


# ruff: noqa: E501
LOG = b"""\
2026-01-01 00:00:00 | INFO | train_inner | {"epoch": 1, "update": 0.5, "loss": "3.2", "num_updates": "10"}
2026-01-01 00:00:01 | INFO | train_inner | {"epoch": 1, "update": 0.9, "loss": "2.9", "num_updates": "20"}
2026-01-01 00:00:02 | INFO | valid | {"epoch": 1, "valid_loss": "3.0", "valid_num_updates": "20"}
"""

NUMBERS = st.sampled_from(
    [number.decode() for number in mutations.NUMBERS if len(number) < 999]
) | st.text(max_size=5)
KINDS = {
    "language-model": "--unit pieces --train train.txt --valid valid.txt --dest dest "
    "--bpe-size N --threshold M",
    "translation": "--source de --target en --train train --valid valid --test valid --dest dest "
    "--bpe-size N --max-length M --max-ratio K",
    "classification": "--pretrained pretrained --columns sentence label --inputs sentence --classes A B "
    "--train train.tsv --valid valid.tsv --dest dest --rows N M",
    "numbers": "dest --pairs N --held-out M --seed K",
}
EVERYTHING = {
    **TEXTS, **SIDES, "train.tsv": TABLE * 2, "valid.tsv": TABLE,
    **{f"pretrained/{name}": content for name, content in PRETRAINED["words"].items()},
}  # fmt: skip


def test_numbers_of_commands(fuzz, monkeypatch):
    def case(folder: Path, given: tuple[str, dict[str, str]]) -> None:
        name, numbers = given
        write(folder, EVERYTHING)
        monkeypatch.chdir(folder)
        line = [numbers.get(word, word) for word in KINDS[name].split()]
        called(("prepare", name), line, folder / "dest")

    usual = st.sampled_from(["1", "2", "30", "6", "3"])
    numbers = st.fixed_dictionaries({letter: usual | NUMBERS for letter in "NMK"})
    fuzz("numbers of commands", st.tuples(st.sampled_from(sorted(KINDS)), numbers), case)
