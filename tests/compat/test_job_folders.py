"""Jobs of hydra: what they read is where the command was typed, what they write is their own."""

import os
from argparse import Namespace
from pathlib import Path

import pytest
from conftest import ROOT, succeed
from fairseq import checkpoint_utils
from omegaconf import OmegaConf

from fairseq_memtx.compat.job_folders import settle


def settled(typed: Path, save_dir: object, mode: str = "MULTIRUN", **given: object):
    """The configuration of job 2, which runs in another folder."""
    checkpoint = {"save_dir": str(save_dir), "finetune_from_model": None, "restore_file": "last.pt"}
    run = OmegaConf.create({"task": given, "checkpoint": checkpoint})
    runtime = Namespace(cwd=str(typed), output_dir=str(typed / "multirun/2"))
    settle(run, Namespace(runtime=runtime, mode=Namespace(name=mode), job=Namespace(num=2)))
    return run


def test_a_job_reads_what_the_user_named(tmp_path, monkeypatch):
    typed, job = tmp_path / "typed", tmp_path / "typed/multirun/2"
    for folder in (typed / "data", typed / "both", job / "both"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(job)
    run = settled(typed, "checkpoints", data="data", noise="both", babi="nowhere")
    assert run.task == {"data": str(typed / "data"), "noise": "both", "babi": "nowhere"}
    assert run.checkpoint.restore_file == "last.pt"


def test_a_job_writes_into_its_own_folder(tmp_path):
    assert settled(tmp_path, "checkpoints").checkpoint.save_dir == "checkpoints"
    assert settled(tmp_path, tmp_path / "ck").checkpoint.save_dir == str(tmp_path / "ck/2")
    own = tmp_path / "multirun/2/ck"
    assert settled(tmp_path, own).checkpoint.save_dir == str(own)
    alone = settled(tmp_path, tmp_path / "ck", mode="RUN")
    assert alone.checkpoint.save_dir == str(tmp_path / "ck")


@pytest.mark.training
def test_several_jobs_by_hydra(toy_lm, tmp_path):
    """No user_dir, no size of batches, no ``+``; nothing is left but what is asked for."""
    (tmp_path / "data").symlink_to(toy_lm)
    common = [
        "--config-dir", ROOT / "fairseq_memtx/config", "--multirun", "model=rmt_lm_tiny",
        "task=rmt_language_modeling", "task.data=data", "task.tokens_per_sample=8",
        "optimizer=adam", "optimization.max_update=1", "common.cpu=true",
        "dataset.disable_validation=true", "dataset.num_workers=0", "model.memory_tokens=0,3",
    ]  # fmt: skip
    succeed("fairseq-hydra-train", *common, cwd=tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["data", "multirun"]
    files = sorted(tmp_path.glob("multirun/*/*/?/checkpoints/checkpoint_last.pt"))
    states = [checkpoint_utils.load_checkpoint_to_cpu(str(file)) for file in files]
    assert [state["cfg"].model.memory_tokens for state in states] == [0, 3]
    assert all(state["optimizer_history"][-1]["num_updates"] == 1 for state in states)
    assert all((file.parent / ".hydra/hydra_train.log").exists() for file in files)
    (tmp_path / "multirun").rename(tmp_path / "elsewhere")
    succeed("fairseq-hydra-train", *common, f"checkpoint.save_dir={tmp_path}/ck", cwd=tmp_path)
    for number, memory in enumerate((0, 3)):
        state = checkpoint_utils.load_checkpoint_to_cpu(
            f"{tmp_path}/ck/{number}/checkpoint_last.pt"
        )
        assert state["cfg"].model.memory_tokens == memory
