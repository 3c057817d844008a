"""Rows of ``masked_lm`` that a line does not fit into."""

from argparse import Namespace

import numpy as np
import pytest
import torch
from conftest import words
from fairseq.data import indexed_dataset
from fairseq.tasks.masked_lm import MaskedLMConfig, MaskedLMTask
from omegaconf import OmegaConf

from fairseq_memtx import compat
from fairseq_memtx.errors import MemtxError

compat.mend_fairseq()


@pytest.fixture
def data(tmp_path):
    """Lines of 3 to 20 tokens."""
    dictionary = words()
    dictionary.save(str(tmp_path / "dict.txt"))
    builder = indexed_dataset.make_builder(str(tmp_path / "train.bin"), "mmap", len(dictionary))
    for length in range(2, 20):
        builder.add_item(torch.tensor([4] * length + [2]))
    builder.finalize(str(tmp_path / "train.idx"))
    return tmp_path


def load(data, **flags):
    config = OmegaConf.structured(MaskedLMConfig)
    config.data, config.seed = str(data), 1
    for name, value in {"tokens_per_sample": 12, **flags}.items():
        setattr(config, name, value)
    task = MaskedLMTask.setup_task(config)
    task.load_dataset("train")
    return task, task.dataset("train")


def kept(task, dataset, limit=None) -> np.ndarray:
    indices = np.arange(len(dataset))
    return task.filter_indices_by_size(indices, dataset, limit or task.max_positions())


@pytest.mark.parametrize("method", ["truncate", "random_crop"])
@pytest.mark.parametrize("mode", ["complete_doc", "complete", "eos"])
def test_shortened_lines_are_kept(data, method, mode):
    """With ``<s>`` in front they have just the length of a row."""
    task, dataset = load(data, shorten_method=method, sample_break_mode=mode)
    assert max(dataset.size(i) for i in range(len(dataset))) == 12
    assert len(kept(task, dataset)) == len(dataset)
    assert max(len(dataset[i]["net_input.src_tokens"]) for i in range(len(dataset))) == 12


def test_an_error_names_the_flag_that_helps(data):
    task, dataset = load(data, sample_break_mode="eos")
    with pytest.raises(MemtxError, match=r"has 1\d tokens with <s>, and --tokens-per-sample .* 12"):
        kept(task, dataset)
    with pytest.raises(MemtxError, match=r"and --max-positions allows 8: raise it, or cut long"):
        kept(task, dataset, limit=8)
    assert len(kept(*load(data, sample_break_mode="eos", tokens_per_sample=21))) == 18


def test_other_errors_stay_what_they_are(data):
    task, _ = load(data)
    with pytest.raises(AttributeError):
        task.filter_indices_by_size(np.arange(3), Namespace(), 12)
