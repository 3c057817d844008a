"""Tables, texts and models of Hugging Face through the scripts that make folders of them.

A folder is whole or not there. fairseq's own program is called in this process, since it takes
seconds to start.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Callable

import mutations
import pytest
import torch
from conftest import ROOT
from fairseq import options
from fairseq.data import Dictionary, data_utils
from fairseq.data.encoders.gpt2_bpe_utils import bytes_to_unicode
from fairseq_cli import preprocess as fairseq_preprocess
from hypothesis import strategies as st
from referee import Line, write
from safetensors.torch import save

from fairseq_memtx.errors import MemtxError

sys.path.insert(0, str(ROOT / "scripts"))

import convert_hf_roberta
import number_corpus
import prepare_classification
import prepare_language_model
import prepare_translation

pytestmark = pytest.mark.fuzz


def preprocess_here(flags: list[str], work: Path, hear: Callable[[str], object]) -> None:
    """As `prepared_folder.preprocess`, in this process."""
    parser = options.get_preprocessing_parser()
    before, handlers = Path.cwd(), list(fairseq_preprocess.logger.handlers)
    listener = logging.Handler()
    listener.emit = lambda record: hear(f"x | {record.getMessage()}\n")
    fairseq_preprocess.logger.addHandler(listener)
    os.chdir(work)
    try:
        fairseq_preprocess.main(parser.parse_args([*flags, "--destdir", "..", "--workers", "1"]))
    finally:
        os.chdir(before)
        fairseq_preprocess.logger.handlers[:] = handlers


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """All scripts binarise with `preprocess_here`."""
    for script in (prepare_classification, prepare_language_model, prepare_translation):
        monkeypatch.setattr(script, "preprocess", preprocess_here)
    monkeypatch.setattr(fairseq_preprocess.logger, "level", logging.INFO)


def called(main: Callable[..., object], flags: list[object], dest: Path) -> None:
    """Call a script; it makes ``dest``, or ends in one line and leaves nothing there."""
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(io.StringIO()):
        try:
            code = main([str(flag) for flag in flags])
        except SystemExit as end:
            code = end.code
            if isinstance(code, str):
                said.write(code)
        except MemtxError:
            assert not dest.exists(), "what was written looks whole"
            raise
    if code in (0, None):
        assert dest.exists()
        assert not dest.with_name(f"{dest.name}.partial").exists()
        return
    assert not dest.exists(), "what was written looks whole"
    lines = [line for line in said.getvalue().strip().split("\n") if line[:1] not in (" ", "u")]
    raise Line("\n".join(lines))  # without the flags that argparse shows


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
        called(prepare_language_model.main, [*flags, *size, "--dest", dest], dest)
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
        called(prepare_translation.main, flags, folder / "dest")
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
        called(prepare_classification.main, flags, folder / "dest")
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
        called(convert_hf_roberta.main, [folder / "hf", folder / "dest"], folder / "dest")
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
SCRIPTS = {
    "prepare_language_model": (
        prepare_language_model.main,
        "--unit pieces --train train.txt --valid valid.txt --dest dest --bpe-size N --threshold M",
    ),
    "prepare_translation": (
        prepare_translation.main,
        "--source de --target en --train train --valid valid --test valid --dest dest "
        "--bpe-size N --max-length M --max-ratio K",
    ),
    "prepare_classification": (
        prepare_classification.main,
        "--pretrained pretrained --columns sentence label --inputs sentence --classes A B "
        "--train train.tsv --valid valid.tsv --dest dest --rows N M",
    ),
    "number_corpus": (number_corpus.main, "dest --pairs N --held-out M --seed K"),
}
EVERYTHING = {
    **TEXTS, **SIDES, "train.tsv": TABLE * 2, "valid.tsv": TABLE,
    **{f"pretrained/{name}": content for name, content in PRETRAINED["words"].items()},
}  # fmt: skip


def test_numbers_of_scripts(fuzz, monkeypatch):
    def case(folder: Path, given: tuple[str, dict[str, str]]) -> None:
        name, numbers = given
        main, flags = SCRIPTS[name]
        write(folder, EVERYTHING)
        monkeypatch.chdir(folder)
        line = [numbers.get(word, word) for word in flags.split()]
        called(main, line, folder / "dest")

    usual = st.sampled_from(["1", "2", "30", "6", "3"])
    numbers = st.fixed_dictionaries({letter: usual | NUMBERS for letter in "NMK"})
    fuzz("numbers of scripts", st.tuples(st.sampled_from(sorted(SCRIPTS)), numbers), case)
