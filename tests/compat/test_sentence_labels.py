"""What ``sentence_prediction`` is told before it trains."""

import logging

import pytest
import torch
from conftest import words
from fairseq.data import indexed_dataset
from fairseq.tasks.sentence_prediction import SentencePredictionConfig, SentencePredictionTask
from omegaconf import OmegaConf

from fairseq_memtx import compat
from fairseq_memtx.errors import MemtxError

compat.mend_fairseq()


def prepare(folder, **flags):
    """A task of three sentences, with two classes or one number."""
    for side, rows in {"input0": [[5, 6], [7], [8, 9]], "label": [[4], [5], [4]]}.items():
        (folder / side).mkdir(exist_ok=True)
        dictionary = words(9)
        dictionary.save(str(folder / side / "dict.txt"))
        builder = indexed_dataset.make_builder(str(folder / side / "train.bin"), "mmap", 20)
        for row in rows:
            builder.add_item(torch.tensor([*row, 2]))
        builder.finalize(str(folder / side / "train.idx"))
    config = OmegaConf.structured(SentencePredictionConfig)
    fields = {"data": str(folder), "num_classes": 2, "regression_target": False, "seed": 1}
    for name, value in {**fields, **flags}.items():
        setattr(config, name, value)
    return SentencePredictionTask.setup_task(config)


def test_a_missing_first_token_is_told_once(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        task = prepare(tmp_path)
        task.load_dataset("train")
        task.load_dataset("train")
        assert caplog.text.count("add --init-token 0") == 1
        caplog.clear()
        prepare(tmp_path, init_token=0).load_dataset("train")
        assert "init-token" not in caplog.text


@pytest.mark.parametrize("flag", ["init_token", "separator_token"])
@pytest.mark.parametrize("token", [-1, 10**9, 10**30])
def test_tokens_that_are_none(flag, token, tmp_path):
    task = prepare(tmp_path)
    task.cfg = SentencePredictionConfig(**{"data": str(tmp_path), flag: token})
    said = f"--{flag.replace('_', '-')} {token} is no symbol of the dictionary, which has"
    with pytest.raises(MemtxError, match=said):
        task.load_dataset("train")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("1.5\n-2\n", r"train\.label has 2 lines and 'train' has 3 sentences"),
        ("1\n2\n3\n4\n", r"train\.label has 4 lines and 'train' has 3 sentences"),
        ("1.5\nhalf\n3\n", r"train\.label, line 2: 'half' is not 1 number \(--num-classes\)"),
        ("1.5\n2 3\n3\n", r"train\.label, line 2: '2 3' is not 1 number"),
        ("nan\n2\n3\n", r"train\.label, line 1: 'nan' is not 1 number"),
        ("1.5\n\n3\n", r"train\.label, line 2: '' is not 1 number"),
        ("1\n2\n3\n".encode("utf-16"), r"train\.label: UTF-16 or UTF-32, not UTF-8"),
    ],
)
def test_targets_that_are_no_numbers(content, says, tmp_path):
    task = prepare(tmp_path, regression_target=True, num_classes=1, init_token=0)
    content = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "label/train.label").write_bytes(content)
    with pytest.raises(MemtxError, match=says):
        task.load_dataset("train")


def test_numbers_are_read_as_they_are(tmp_path):
    task = prepare(tmp_path, regression_target=True, num_classes=1, init_token=0, no_shuffle=True)
    (tmp_path / "label/train.label").write_bytes(b"1.5\r\n-2e1\r\n3\r\n")
    dataset = task.load_dataset("train")
    assert dataset.collater([dataset[i] for i in range(3)])["target"].flatten().tolist() == [
        1.5, -20, 3,
    ]  # fmt: skip
