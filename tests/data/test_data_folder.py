"""A folder is looked at before hours of training: halves, lengths, labels, what it is."""

import json
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from fairseq.data import Dictionary, indexed_dataset

from fairseq_memtx.data import data_folder
from fairseq_memtx.errors import MemtxError


def write(prefix: Path, *sentences: list[int]) -> None:
    prefix.parent.mkdir(parents=True, exist_ok=True)
    builder = indexed_dataset.make_builder(f"{prefix}.bin", "mmap", vocab_size=24)
    for sentence in sentences:
        builder.add_item(torch.IntTensor(sentence))
    builder.finalize(f"{prefix}.idx")


def check(folder: object, **more: object) -> None:
    labels = Dictionary()
    for name in "ABC":
        labels.add_symbol(name)
    settings = {"regression_target": False, **more}
    data_folder.check(
        Namespace(cfg=Namespace(data=str(folder), **settings), label_dictionary=labels)
    )


def test_both_sides_of_every_split_and_shard(tmp_path):
    for split in ("train", "train1", "valid"):
        for side in ("de", "en"):
            write(tmp_path / f"{split}.de-en.{side}", [4, 2], [5, 2])
    languages = {"source_lang": "en", "target_lang": "de"}
    check(tmp_path, **languages)
    write(tmp_path / "train1.de-en.en", [4, 2])
    with pytest.raises(MemtxError, match=r"train1.* has 1 sentences and .* has 2"):
        check(tmp_path, **languages)
    (tmp_path / "train1.de-en.en.idx").unlink()
    with pytest.raises(MemtxError, match=r"train1\.de-en\.en\.bin has no index"):
        check(tmp_path, **languages)


def test_every_folder_of_several(tmp_path):
    write(tmp_path / "one/train", [4, 2])
    write(tmp_path / "two/train", [4, 2])
    check(f"{tmp_path}/one:{tmp_path}/two")
    (tmp_path / "two/train.bin").write_bytes(b"")
    with pytest.raises(MemtxError, match=r"two/train.bin is cut off"):
        check(f"{tmp_path}/one:{tmp_path}/two")


def test_second_sentences_and_labels_are_as_many(tmp_path):
    for side in ("input0", "input1"):
        write(tmp_path / side / "train", [4, 2], [5, 2])
    write(tmp_path / "label/train", [4, 2])
    with pytest.raises(MemtxError, match=r"label/train.bin has 1 sentences"):
        check(tmp_path)
    write(tmp_path / "label/train", [4, 2], [5, 2])
    check(tmp_path)
    write(tmp_path / "input1/train", [4, 2], [5, 2], [6, 2])
    with pytest.raises(MemtxError, match=r"input1/train.bin has 3 sentences and .*input0"):
        check(tmp_path)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([[4, 2], [6, 2]], None),
        ([[4, 2], [7, 2]], r"has the token 7, and its dictionary has 7 words"),
        ([[4, 2], [3, 2]], r"the label '<unk>' in sentence 2"),
        ([[4, 2], [2]], r"the label '' in sentence 2"),
        ([[4, 5, 2], [4, 2]], r"the label 'A B' in sentence 1"),
    ],
)
def test_labels(tmp_path, labels, says):
    write(tmp_path / "input0/train", [4, 2], [5, 2])
    write(tmp_path / "label/train", *labels)
    if says is None:
        check(tmp_path, num_classes=3)
        with pytest.raises(MemtxError, match=r"none of the first 2 .*--num-classes"):
            check(tmp_path, num_classes=2)
        return
    with pytest.raises(MemtxError, match=says):
        check(tmp_path, num_classes=3)


@pytest.mark.parametrize("weights", ["pytorch_model.bin", "model.safetensors"])
def test_a_folder_of_hugging_face_is_not_to_be_deleted(tmp_path, weights):
    (tmp_path / "config.json").write_text(json.dumps({}))
    (tmp_path / weights).write_bytes(b"weights")
    if weights.endswith(".bin"):
        with pytest.raises(MemtxError, match="Hugging Face") as error:
            check(tmp_path)
        assert "elete" not in str(error.value)


def test_the_format_cached_is_read_along_a_text(tmp_path):
    builder = indexed_dataset.IndexedDatasetBuilder(tmp_path / "train.bin")
    builder.add_item(torch.IntTensor([2, 2]))
    builder.finalize(tmp_path / "train.idx")
    sentences = data_folder.load(str(tmp_path / "train"), Dictionary())
    assert sentences[0].tolist() == [2, 2]
