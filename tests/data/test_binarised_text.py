"""Binarised text is looked at before it is read: every number of both files, in no time."""

import os
import shutil
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import words
from fairseq.data import data_utils, indexed_dataset

from fairseq_memtx.data import binarised_index, binarised_text
from fairseq_memtx.errors import MemtxError

FORMATS = ["mmap", "cached"]
SENTENCES = [[4, 5, 6, 2], [7, 2], [8, 9, 10, 11, 23, 2]]


def write(prefix: Path, impl: str = "mmap", sentences=SENTENCES) -> Path:
    """A set as ``fairseq-preprocess`` writes it; returns its text."""
    builder = indexed_dataset.make_builder(f"{prefix}.bin", impl, vocab_size=24)
    for sentence in sentences:
        builder.add_item(torch.IntTensor(sentence))
    builder.finalize(f"{prefix}.idx")
    return prefix.with_suffix(".bin")


def load(prefix: Path, impl: str | None = None, **more):
    return data_utils.load_indexed_dataset(str(prefix), words(), impl, **more)


def flip(path: Path, place: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


@pytest.mark.parametrize("impl", FORMATS)
def test_a_whole_set_is_read(tmp_path, impl):
    write(tmp_path / "train", impl)
    dataset = load(tmp_path / "train")
    dataset.prefetch(range(3)) if impl == "cached" else None
    assert [dataset[index].tolist() for index in range(3)] == SENTENCES


@pytest.mark.parametrize("impl", FORMATS)
@pytest.mark.parametrize("ending", [".bin", ".idx"])
def test_no_flipped_bit_is_read_beyond_the_files(tmp_path, impl, ending):
    """Bits of every byte: one line, or other words, which no check can know of."""
    write(tmp_path / "whole", impl)
    file = (tmp_path / "train").with_suffix(ending)
    lines: list[str] = []
    for place in range((tmp_path / "whole").with_suffix(ending).stat().st_size):
        for bit in (0, 3, 7):
            for other in (".bin", ".idx"):
                shutil.copy(tmp_path / f"whole{other}", tmp_path / f"train{other}")
            flip(file, place, bit)
            binarised_text._count.cache_clear()
            binarised_text._token_range.cache_clear()
            try:
                dataset = load(tmp_path / "train")
            except MemtxError as error:
                lines.append(str(error))
                continue
            assert ending == ".bin"
            assert len(dataset) == 3
            dataset.prefetch(range(3)) if impl == "cached" else None
            tokens = torch.cat([dataset[index] for index in range(3)])
            assert tokens.min() >= 0
            assert tokens.max() < len(words())
    assert len(lines) > 20
    assert all("\n" not in line and str(tmp_path / "train") in line for line in lines)


@pytest.mark.parametrize("impl", FORMATS)
@pytest.mark.parametrize("ending", [".bin", ".idx"])
def test_files_that_are_cut_off_or_too_long(tmp_path, impl, ending):
    write(tmp_path / "train", impl)
    file = (tmp_path / "train").with_suffix(ending)
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(MemtxError, match=r"cut off|no index of fairseq|is empty"):
            load(tmp_path / "train")
    file.write_bytes(whole + b"\0")
    with pytest.raises(MemtxError, match=r"longer than it says|its index knows of"):
        load(tmp_path / "train")


def test_sizes_and_offsets(tmp_path):
    """Those that contradict each other, are below zero, or are nothing."""
    text = write(tmp_path / "train")
    index = text.with_suffix(".idx")
    whole = index.read_bytes()
    for sizes, offsets, says in [
        ([4, 2, -6], [0, 8, 12], "sentence 3"),
        ([4, 3, 5], [0, 8, 12], "sentence 3"),
        ([4, 2, 6], [0, 12, 8], "sentence 2"),
        ([4, 2, 6], [2, 10, 14], "sentence 1"),
        ([4, 2, 1 << 30], [0, 8, 12], "cut off at 24 of"),
        ([4, 0, 8], [0, 8, 8], "no token in sentence 2"),
    ]:
        index.write_bytes(whole[:26] + struct.pack("<iiiqqq", *sizes, *offsets))
        with pytest.raises(MemtxError, match=says):
            load(tmp_path / "train")
    index.write_bytes(whole[:18] + struct.pack("<Q", 1 << 62) + whole[26:])
    with pytest.raises(MemtxError, match="cut off"):
        load(tmp_path / "train")


@pytest.mark.parametrize("impl", FORMATS)
@pytest.mark.parametrize("block", [1, 2, 5])
def test_sets_of_several_blocks(tmp_path, monkeypatch, impl, block):
    """All of them are looked at, and each begins where the one before it ends."""
    monkeypatch.setattr(binarised_index, "BLOCK", block)
    write(tmp_path / "whole", impl)
    assert len(load(tmp_path / "whole")) == 3
    for place in range(3):
        sentences = [[4, 24 if place == number else 5, 2] for number in range(3)]
        write(tmp_path / f"train{place}", impl, sentences)
        with pytest.raises(MemtxError, match="has the token 24"):
            load(tmp_path / f"train{place}")


def test_more_tokens_than_32_bits_count(tmp_path):
    """Three sentences of a thousand million tokens, in a file that takes no room."""
    with open(tmp_path / "train.bin", "wb") as text:
        text.truncate(6 << 30)
    header = indexed_dataset.MMapIndexedDataset.Index.writer(tmp_path / "train.idx", np.uint16)
    with header as index:
        index.write([1 << 30] * 3)
    assert binarised_text.count_sentences(tmp_path / "train.bin") == 3


@pytest.mark.parametrize("impl", FORMATS)
def test_a_token_that_the_dictionary_has_not(tmp_path, impl):
    write(tmp_path / "train", impl, [[4, 2], [24, 2]])
    with pytest.raises(MemtxError, match=r"train.bin has the token 24, and its dictionary has 24"):
        load(tmp_path / "train")
    assert len(data_utils.load_indexed_dataset(str(tmp_path / "train"))) == 2, "of no dictionary"


def test_a_token_below_zero(tmp_path):
    builder = indexed_dataset.MMapIndexedDatasetBuilder(tmp_path / "train.bin", np.int32)
    builder.add_item(torch.IntTensor([4, -1, 2]))
    builder.finalize(tmp_path / "train.idx")
    with pytest.raises(MemtxError, match="has the token -1"):
        load(tmp_path / "train")


def test_every_shard_of_a_set(tmp_path):
    """What ``train`` goes on in is looked at, and half a shard is no end of the set."""
    for number in ("", 1):
        write(tmp_path / f"train{number}")
    assert len(load(tmp_path / "train", combine=True)) == 6
    flip(tmp_path / "train1.bin", 5, 7)
    with pytest.raises(MemtxError, match=r"train1\.bin has the token"):
        load(tmp_path / "train", combine=True)
    (tmp_path / "train1.idx").unlink()
    with pytest.raises(MemtxError, match=r"train1.bin has no index train1.idx"):
        load(tmp_path / "train", combine=True)


def test_what_changes_is_looked_at_again(tmp_path):
    text = write(tmp_path / "train")
    load(tmp_path / "train")
    state = text.stat()
    flip(text, 5, 7)
    os.utime(text, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    with pytest.raises(MemtxError, match="has the token"):
        load(tmp_path / "train")


def test_formats(tmp_path):
    """One that is not that of the file, one that cannot be looked at, text that is no text."""
    write(tmp_path / "train")
    for impl in ("lazy", "cached"):
        with pytest.raises(MemtxError, match=f"not in the format {impl}: leave out --dataset-impl"):
            load(tmp_path / "train", impl)
    (tmp_path / "test.fasta").write_text(">one\nACGT\n")
    with pytest.raises(MemtxError, match="in the format fasta"):
        load(tmp_path / "test")
    (tmp_path / "raw").write_bytes(b"w1 w2\nw3 \xff\n")
    with pytest.raises(MemtxError, match=r"raw, line 2: not UTF-8"):
        load(tmp_path / "raw")
    (tmp_path / "raw").write_bytes(b"w1 w2\nw3\n")
    assert len(load(tmp_path / "raw")) == 2
    (tmp_path / "folder").mkdir()
    with pytest.raises(MemtxError, match="folder is no file"):
        load(tmp_path / "folder")


def test_ten_million_tokens_in_no_time(tmp_path):
    """Less than what fairseq takes to open them, and once a process."""
    sizes = np.full(400_000, 25)
    np.resize(np.arange(4, 24), 10_000_000).astype(np.uint16).tofile(tmp_path / "train.bin")
    with indexed_dataset.MMapIndexedDataset.Index.writer(
        tmp_path / "train.idx", np.uint16
    ) as index:
        index.write(sizes.tolist())
    took = []
    for _ in range(2):
        start = time.process_time()
        binarised_text.check_set(str(tmp_path / "train"), "mmap", 24)
        took.append(time.process_time() - start)
    assert took[0] < 0.5
    assert took[1] < took[0] / 3
