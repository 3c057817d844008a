"""Runs that are killed, at any moment, and started again end as one that was never killed."""

import random
import time
from pathlib import Path

import pytest
import torch
from conftest import ROOT, succeed, train_flags
from gpu_check import warm_commands

pytestmark = pytest.mark.training

SAVE = ["--save-interval-updates", 3, "--keep-interval-updates", 1, "--no-epoch-checkpoints"]
LANGUAGE = [
    "--user-dir", "fairseq_memtx", "--cpu", "--optimizer", "adam", "--lr", 1e-3, "--seed", 1,
    "--log-format", "simple",
]  # fmt: skip
RUNS = {
    "mem_transformer": [
        "--max-tokens", 100, "--update-freq", 2, "--max-epoch", 3, "--max-update", 0,
        "--num-workers", 1, "--memory-variant", "controller", "--curriculum", 1,
    ],
    "rmt_lm": [
        "--task", "rmt_language_modeling", "--arch", "rmt_lm_tiny", "--tokens-per-sample", 16,
        "--batch-size", 6, "--cache-length", 4, "--criterion", "cross_entropy", "--max-epoch", 3,
        "--layer-memory", "associative", "--associative-channels", 8,
        "--segment-curriculum", "1:6,2:10,3", "--stride-segments", 1, "--num-workers", 1,
    ],
    "gmat_roberta": [
        "--task", "masked_lm", "--arch", "gmat_roberta_tiny", "--memory-tokens", 2,
        "--sample-break-mode", "eos", "--tokens-per-sample", 32, "--max-positions", 64,
        "--batch-size", 30, "--criterion", "masked_lm", "--update-freq", "1,2", "--max-epoch", 3,
        "--num-workers", 1,
    ],
}  # fmt: skip


class RandomMoment:
    """True a random while after one of the next checkpoints of a run."""

    def __init__(self, last: Path, numbers: random.Random) -> None:
        self.last, self.saves, self.pause = last, numbers.randint(1, 3), numbers.uniform(0, 0.15)
        self.written = self._written()
        self.moment = float("inf")

    def _written(self) -> int:
        return self.last.stat().st_ino if self.last.exists() else 0

    def __call__(self) -> bool:
        if self._written() != self.written:
            self.written, self.saves = self._written(), self.saves - 1
        if not self.saves:
            self.moment = min(self.moment, time.monotonic() + self.pause)
        return time.monotonic() >= self.moment


def killed_and_started_again(flags: list[object], save_dir: Path, numbers: random.Random) -> int:
    """Kill the run at random moments until it is done; returns how often."""
    arguments = [*map(str, flags), "--save-dir", str(save_dir)]
    for kills in range(20):
        moment = RandomMoment(save_dir / "checkpoint_last.pt", numbers)
        (result,) = warm_commands.run("fairseq-train", arguments, ROOT, 120, until=moment)
        if result.returncode == 0:
            return kills
        assert result.returncode == -9, result.stderr[-4000:]
    raise AssertionError("a killed run does not come to its end")


@pytest.mark.parametrize("name", list(RUNS))
def test_a_killed_run_ends_with_the_same_bits(name, toy_data, toy_lm, tmp_path):
    """Weights, optimizer and place; killed in all three epochs, or at their ends."""
    if name == "mem_transformer":
        flags = [*train_flags(toy_data, tmp_path / "whole", *RUNS[name]), *SAVE]
    else:
        flags = [toy_lm, *LANGUAGE, *RUNS[name], *SAVE, "--save-dir", tmp_path / "whole"]
    succeed("fairseq-train", *flags)
    kills = killed_and_started_again(flags, tmp_path / "killed", random.Random(name))
    assert kills >= 2
    whole, killed = (
        torch.load(tmp_path / run / "checkpoint_last.pt", weights_only=True)
        for run in ("whole", "killed")
    )
    assert equal(whole["model"], killed["model"])
    assert equal(whole["last_optimizer_state"], killed["last_optimizer_state"])
    places = [run["extra_state"]["train_iterator"] for run in (whole, killed)]
    assert equal(*places)
    assert places[0]["epoch"] == 4


def test_a_run_that_made_all_its_updates_makes_no_more(toy_data, tmp_path):
    """As a queue starts it again, or whoever does not know that it was done."""
    flags = train_flags(toy_data, tmp_path, "--max-update", 4)
    succeed("fairseq-train", *flags)
    last = tmp_path / "checkpoint_last.pt"
    before = last.read_bytes()
    assert "4 updates were made, --max-update 4 asks for no more" in succeed(
        "fairseq-train", *flags
    )
    assert last.read_bytes() == before
    succeed("fairseq-train", *train_flags(toy_data, tmp_path, "--max-update", 5))
    assert torch.load(last, weights_only=True)["optimizer_history"][-1]["num_updates"] == 5


def equal(one: object, other: object) -> bool:
    """Whether all tensors and numbers in two nested states are the same."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other
