"""Majority tagging and signed sums through fairseq's commands."""

import re

import pytest
import torch
from conftest import ROOT, succeed
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import OmegaConf

from fairseq_memtx.data.global_reasoning.majority_tagging import MajorityTagging
from fairseq_memtx.errors import MemtxError

PLUGIN = ["--user-dir", "fairseq_memtx", "--cpu"]
TRAIN = [
    *PLUGIN, "--arch", "gmat_roberta_tiny", "--criterion", "sequence_tagging", "--batch-size", 8,
    "--optimizer", "adam", "--lr", 3e-3, "--num-workers", 0, "--log-format", "simple",
    "--max-update", 3, "--train-size", 16, "--valid-size", 12,
]  # fmt: skip


def setup(task: str, *flags: object):
    """Task and model of a command line."""
    parser = options.get_training_parser()
    arguments = ["--task", task, "--arch", "gmat_roberta_tiny", *map(str, flags)]
    cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, arguments))
    task = tasks.setup_task(cfg.task)
    return task, task.build_model(cfg.model)


def test_rows_and_targets():
    task, _ = setup("majority-tagging", "--sequence-length", 9, "--domains", 2)
    task.load_dataset("valid")
    dataset = task.dataset("valid")
    batch = dataset.collater([dataset[index] for index in (3, 0)])
    source, target = batch["net_input"]["src_tokens"], batch["target"]
    assert source.shape == target.shape == (2, 11)
    assert task.source_dictionary.string(source[0, 1:-1]) == " ".join(
        task.reasoning.symbols[token] for token in dataset.examples[3][0]
    )
    assert task.target_dictionary.string(target[0, 1:-1]) == " ".join(
        task.reasoning.labels[label] for label in dataset.examples[3][1]
    )
    assert set(source[:, 0].tolist()) == {task.source_dictionary.bos()}
    assert set(source[:, -1].tolist()) == {task.source_dictionary.eos()}
    assert set(target[:, [0, -1]].flatten().tolist()) == {task.target_dictionary.pad()}
    assert batch["ntokens"] == 18


def test_training_draws_new_examples_and_never_those_of_validation():
    task, _ = setup("signed-sum", "--sequence-length", 30)
    rows = {}
    for split, epoch in [("train", 1), ("train", 2), ("valid", 1), ("valid", 2), ("test", 1)]:
        task.load_dataset(split, epoch=epoch)
        dataset = task.dataset(split)
        rows[split, epoch] = {tuple(dataset[index]["source"].tolist()) for index in range(50)}
    assert rows["valid", 1] == rows["valid", 2]
    distinct = [rows[place] for place in rows if place != ("valid", 2)]
    assert len(set.union(*distinct)) == 50 * len(distinct)
    assert task.has_sharded_data("train"), "fairseq loads it anew for every epoch"


@pytest.mark.parametrize(
    ("task", "labels"), [(["majority-tagging", "--domains", 3], 6), (["signed-sum"], 10)]
)
def test_model_fits_the_task(task, labels):
    task, model = setup(*task, "--sequence-length", 20)
    assert model.max_positions() == task.max_positions() == 22
    tokens = torch.full((2, 22), 5)
    scores, _ = model(tokens, features_only=True, token_head_name="tags")
    assert scores.shape == (2, 22, labels)


def test_only_chunks_have_a_best_score_without_memory():
    flags = ["majority-tagging", "--sequence-length", 20]
    task, _ = setup(*flags, "--domains", 2, "--chunk-size", 6)
    assert task.best_without_memory == MajorityTagging(20, 2).best_without_memory(6)
    for scheme in ("none", "window", "lsh"):
        assert setup(*flags, "--sparse-attention", scheme)[0].best_without_memory is None


def test_best_score_without_memory_stands_beside_the_accuracy(tmp_path):
    flags = ["--task", "majority-tagging", "--sequence-length", 24, "--chunk-size", 8]
    output = succeed("fairseq-train", *TRAIN, *flags, "--save-dir", tmp_path)
    best = f"{setup(*flags[1:])[0].best_without_memory:.4f}".rstrip("0")
    beside = rf"accuracy 0\.\d+ \| best_without_memory {best}\b"
    for row in re.findall(r"INFO \| valid \|.*", output):
        assert re.search(beside, row)
    for row in re.findall(r"INFO \| train(?:_inner)? \|.*", output):
        assert "best_without_memory" not in row
    path = ["--path", tmp_path / "checkpoint_last.pt", "--batch-size", 5, "--num-workers", 0]
    sizes = ["--valid-subset", "test", "--test-size", 12]
    output = succeed("fairseq-validate", *PLUGIN, *flags[:4], *path, *sizes)
    assert re.search("'test' subset.*" + beside, output)


def test_flags_that_make_no_sense():
    with pytest.raises(MemtxError, match=r"--sequence-length must be at least 1, not 0"):
        setup("majority-tagging", "--sequence-length", 0)
    with pytest.raises(MemtxError, match=r"--modulus must be at least 2, not 1"):
        setup("signed-sum", "--modulus", 1)
    with pytest.raises(MemtxError, match=r"--max-positions 20 is too small: a row has 22 positio"):
        setup("signed-sum", "--sequence-length", 20, "--max-positions", 20)


@pytest.mark.parametrize("task", ["majority-tagging", "signed-sum"])
def test_yaml_has_the_defaults_of_the_flags(task):
    settings = OmegaConf.load(ROOT / f"fairseq_memtx/config/task/{task}.yaml")
    by_flags = OmegaConf.to_container(setup(task)[0].cfg)
    assert settings.pop("_name") == task
    assert {name: by_flags[name] for name in settings} == settings
    assert set(by_flags) - set(settings) <= {"_name", "seed"}


def test_training_by_hydra(tmp_path):
    config = ROOT / "fairseq_memtx" / "config"
    output = succeed(
        "fairseq-hydra-train", "--config-dir", config, "task=signed-sum", "model=gmat_roberta_tiny",
        "criterion=sequence_tagging", "optimizer=adam", "lr_scheduler=fixed", "common.cpu=true",
        f"common.user_dir='{config.parent}'", "task.sequence_length=20", "task.train_size=8",
        "task.valid_size=8", "dataset.batch_size=8", "dataset.num_workers=0", "model.chunk_size=8",
        "optimization.max_update=1", "optimization.lr=[0.001]", "checkpoint.no_save=true",
        f"hydra.run.dir='{tmp_path}/run'",
    )  # fmt: skip
    assert re.search(r"valid on 'valid' subset.* accuracy \S+ \| best_without_memory 0.1\b", output)
