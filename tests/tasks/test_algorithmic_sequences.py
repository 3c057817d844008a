"""Algorithmic tasks through fairseq's commands, and what counts as right."""

import re
from argparse import Namespace

import pytest
import torch
from conftest import fail, succeed
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

from fairseq_memtx.errors import MemtxError

PLUGIN = ["--user-dir", "fairseq_memtx", "--task", "algorithmic_sequences", "--cpu"]
TRAIN = [
    *PLUGIN, "--sequence-length", 4, "--segments", 3, "--train-size", 64, "--valid-size", 16,
    "--batch-size", 8, "--criterion", "cross_entropy", "--optimizer", "adam", "--lr", 1e-3,
    "--num-workers", 0, "--log-format", "simple", "--max-update", 3,
]  # fmt: skip


def setup(*flags: str, arch: str = "rmt_lm_tiny"):
    """Task and model of a command line."""
    parser = options.get_training_parser()
    arguments = ["--task", "algorithmic_sequences", "--arch", arch, *flags]
    cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, arguments))
    task = tasks.setup_task(cfg.task)
    torch.manual_seed(1)
    return task, task.build_model(cfg.model).eval()


def first_batch(task, split: str = "valid", size: int = 6) -> dict:
    task.load_dataset(split)
    dataset = task.dataset(split)
    return dataset.collater([dataset[index] for index in range(size)])


@pytest.mark.parametrize("algorithm", ["copy", "reverse"])
def test_only_the_answer_counts(algorithm):
    task, _ = setup("--algorithm", algorithm, "--sequence-length", "5", "--segments", "2")
    batch = first_batch(task)
    length = task.algorithm.answer_length
    assert batch["target"][:, :-length].eq(task.dictionary.pad()).all()
    assert batch["ntokens"] == batch["target"][:, -length:].numel()
    read, predicted = batch["net_input"]["src_tokens"], batch["target"]
    assert torch.equal(read[:, 1 - length :], predicted[:, -length:-1])


def test_the_model_is_cut_into_segments():
    _, model = setup("--sequence-length", "8", "--segments", "3")
    assert model.decoder.segment_length == 8
    _, model = setup("--sequence-length", "8", "--tokens-per-sample", "5")
    assert model.decoder.segment_length == 5


@pytest.mark.parametrize("arch", ["rmt_lm_tiny", "transformer_lm"])
def test_the_written_answer_sees_no_gold_token(arch):
    task, model = setup("--sequence-length", "4", "--segments", "3", arch=arch)
    source = first_batch(task)["net_input"]["src_tokens"]
    spoilt = source.clone()
    spoilt[:, 1 - task.algorithm.answer_length :] = 5
    with torch.no_grad():
        assert torch.equal(task.write_answer(model, source), task.write_answer(model, spoilt))


def test_the_written_answer_is_the_likeliest_step_by_step():
    task, model = setup("--sequence-length", "4", "--segments", "3")
    source = first_batch(task)["net_input"]["src_tokens"]
    with torch.no_grad():
        tokens = source[:, : source.size(1) - task.algorithm.answer_length + 1]
        for _ in range(task.algorithm.answer_length):
            tokens = torch.cat([tokens, model(tokens)[0][:, -1:].argmax(dim=-1)], dim=1)
        written = task.write_answer(model, source)
    assert torch.equal(written, tokens[:, -task.algorithm.answer_length :])


def test_metrics():
    """A model that knows the answer but for one symbol of one row."""
    task, _ = setup("--sequence-length", "4")
    batch = first_batch(task)
    right = batch["target"].clone()
    right[0, -1] += 1

    def decode(tokens, incremental_state):
        symbol = right[:, tokens.size(1) - 1 : tokens.size(1)]
        return (torch.nn.functional.one_hot(symbol, len(task.dictionary) + 1),)

    model = Namespace(decoder=decode)
    answer = batch["target"][:, -8:]
    written = task.write_answer(model, batch["net_input"]["src_tokens"])
    assert written.eq(answer).sum() == answer.numel() - 1
    assert written.eq(answer).all(dim=1).sum() == len(answer) - 1


def test_an_epoch_draws_new_examples():
    task, _ = setup()
    task.load_dataset("train", epoch=1)
    first = task.dataset("train")[0]["source"]
    task.load_dataset("train", epoch=2)
    assert not torch.equal(task.dataset("train")[0]["source"], first)


@pytest.mark.parametrize("arch", ["rmt_lm_tiny", "transformer_lm"])
def test_training(tmp_path, arch):
    output = succeed("fairseq-train", *TRAIN, "--arch", arch, "--save-dir", tmp_path)
    row = re.search(r"valid on 'valid' subset.* accuracy (\S+) \| exact_match (\S+)", output)
    assert 0 <= float(row[2]) <= float(row[1]) <= 1
    path = ["--path", tmp_path / "checkpoint_last.pt"]
    flags = ["--sequence-length", 4, "--segments", 3, "--valid-subset", "test", "--test-size", 9]
    output = succeed("fairseq-validate", *PLUGIN, *flags, *path, "--batch-size", 9)
    assert "exact_match" in output


def test_sizes_that_make_no_sense(tmp_path):
    flags = ["--arch", "rmt_lm_tiny", "--save-dir", tmp_path]
    line = fail("fairseq-train", *TRAIN, *flags, "--algorithm", "sort")
    assert "--algorithm sort is not known: choose one of copy, reverse" in line
    with pytest.raises(MemtxError, match="--segments 99 is impossible: a row has 24 tokens"):
        setup("--segments", "99")
