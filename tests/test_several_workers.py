"""Real runs of two workers: one run, the same as one worker's, stopped and resumed, refused."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import fail, run_workers, succeed, train_flags, with_commands, workers_succeed

pytestmark = [pytest.mark.processes, pytest.mark.training]

FAMILIES = ["mem_transformer", "rmt_lm", "gmat_roberta"]
DEFAULT, LEGACY = "pytorch_ddp", "legacy_ddp"
UPDATES, STOP = 50, 20
# Adam makes a step of a gradient that is zero but for rounding; its epsilon is to keep that small.
COMMON = [
    "--cpu", "--user-dir", "fairseq_memtx", "--optimizer", "adam", "--lr", 2e-3, "--dropout", 0,
    "--adam-eps", 1e-6, "--attention-dropout", 0, "--num-workers", 0, "--log-format", "simple",
    "--seed", 1, "--disable-validation", "--save-interval", 1000, "--save-interval-updates", STOP,
    "--required-batch-size-multiple", 1, "--max-update", UPDATES,
]  # fmt: skip
# An epoch has an odd number of batches: in its last update the second worker has none, and gets one
# that stands in for it and does not count.
FLAGS = {
    "mem_transformer": ["--max-tokens", 10000, "--batch-size", 4],
    # A worker more is more streams, and never more windows an update: those follow each other.
    "rmt_lm": [
        "--task", "rmt_language_modeling", "--arch", "rmt_lm_tiny", "--tokens-per-sample", 10,
        "--window-segments", 2, "--cache-length", 4, "--update-freq", 2, "--batch-size", 2,
        "--criterion", "segment_cross_entropy",
    ],
    "gmat_roberta": [
        "--task", "masked_lm", "--criterion", "masked_lm", "--arch", "gmat_roberta_tiny",
        "--memory-tokens", 3, "--chunk-size", 8, "--tokens-per-sample", 10, "--max-positions", 10,
        "--sample-break-mode", "none", "--batch-size", 2,
    ],
}  # fmt: skip
ONE_WORKER = {
    "mem_transformer": ["--update-freq", 2],
    "rmt_lm": ["--batch-size", 4],
    "gmat_roberta": ["--update-freq", 2],
}


@pytest.fixture(scope="module")
def flags_of(toy_data, toy_lm):
    """The command line of a family, without the folder to save in."""

    def flags(family: str, *more: object) -> list[object]:
        start = train_flags(toy_data, "none") if family == "mem_transformer" else [toy_lm]
        return [*start, *COMMON, *FLAGS[family], *more]

    return flags


@pytest.fixture(scope="module")
def trained_by_two(flags_of, tmp_path_factory):
    """The folder of a run of two workers that was never stopped; each is made once."""
    folders: dict[tuple[str, str], Path] = {}

    def folder(family: str, backend: str) -> Path:
        if (family, backend) not in folders:
            save = tmp_path_factory.mktemp(f"{family}-{backend}")
            workers_succeed(
                "fairseq-train", *flags_of(family, "--ddp-backend", backend, "--save-dir", save)
            )
            folders[family, backend] = save
        return folders[family, backend]

    return folder


def last(folder: Path) -> dict:
    return torch.load(folder / "checkpoint_last.pt")


def stopped(folder: Path) -> bytes:
    """The checkpoint that was written on the way."""
    (middle,) = folder.glob(f"checkpoint_*_{STOP}.pt")
    return middle.read_bytes()


def same(one, other) -> bool:
    """Whether everything in two nested values is the same, bit for bit."""
    if torch.is_tensor(one):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize("backend", [DEFAULT, LEGACY])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_resumed_run_is_the_run_that_never_stopped(
    family, backend, trained_by_two, flags_of, tmp_path
):
    """Weights, optimizer, place in the data and every worker's streams, to the last bit."""
    whole = trained_by_two(family, backend)
    (tmp_path / "checkpoint_last.pt").write_bytes(stopped(whole))
    # Looking for unused weights changes no number.
    search = ["--find-unused-parameters"] if backend == DEFAULT else []
    output = workers_succeed(
        "fairseq-train",
        *flags_of(family, "--ddp-backend", backend, "--save-dir", tmp_path, *search),
    )
    assert re.search(rf"Loaded checkpoint .* @ {STOP} updates", output)
    expected, resumed = last(whole), last(tmp_path)
    assert expected["optimizer_history"][-1]["num_updates"] == UPDATES
    for part in ("model", "last_optimizer_state"):
        assert same(expected[part], resumed[part]), part
    iterators = [state["extra_state"]["train_iterator"] for state in (expected, resumed)]
    assert same(*iterators)
    if family == "rmt_lm":
        streams = iterators[0]["streams"]
        assert len(streams) == 2
        memories = [state["memory"] for state in streams]
        assert not torch.equal(*memories), "each has streams of its own"


@pytest.mark.parametrize("family", FAMILIES)
def test_two_workers_are_one_that_reads_what_both_read(family, trained_by_two, flags_of, tmp_path):
    """Two batches an update; for `rmt_lm`, whose batches are one after the other, more streams."""
    output = succeed(
        "fairseq-train",
        *flags_of(family, "--save-dir", tmp_path, *ONE_WORKER[family], "--log-interval", 1),
    )
    rows = re.findall(r"epoch 001: +\d+ / (\d+).* bsz=([\d.]+)", output)
    assert len(rows) == int(rows[0][0]) < UPDATES, "the end of an epoch is among the updates"
    assert float(rows[-1][1]) < float(rows[0][1]), "and has one batch in place of two"
    one = last(tmp_path)["model"]
    for backend in (DEFAULT, LEGACY):
        two = last(trained_by_two(family, backend))["model"]
        assert one.keys() == two.keys()
        for name, value in one.items():
            torch.testing.assert_close(two[name], value, rtol=0, atol=1e-5, msg=f"{backend} {name}")
    if family == "rmt_lm":
        of_two, of_one = (
            last(folder)["extra_state"]["train_iterator"]["streams"]
            for folder in (trained_by_two(family, DEFAULT), tmp_path)
        )
        for name, whole in of_one[0].items():
            together = torch.cat([state[name] for state in of_two])
            torch.testing.assert_close(together, whole, rtol=0, atol=1e-4)


def test_two_workers_with_a_memory_in_every_layer(flags_of, tmp_path):
    """Nothing reads what the last segment writes, and data parallelism is not to wait for that."""
    flags = ["--layer-memory", "associative", "--associative-channels", 8, "--max-update", 6]
    succeed(
        "fairseq-train",
        *flags_of("rmt_lm", *flags, "--save-dir", tmp_path / "one"),
        *ONE_WORKER["rmt_lm"],
    )
    of_one = last(tmp_path / "one")
    (whole,) = of_one["extra_state"]["train_iterator"]["streams"]
    for backend in (DEFAULT, LEGACY):
        folder = tmp_path / backend
        workers_succeed(
            "fairseq-train",
            *flags_of("rmt_lm", *flags, "--ddp-backend", backend, "--save-dir", folder),
        )
        of_two = last(folder)
        for name, value in of_one["model"].items():
            torch.testing.assert_close(of_two["model"][name], value, rtol=0, atol=1e-5, msg=name)
        streams = of_two["extra_state"]["train_iterator"]["streams"]
        assert "layers.1.A" in whole
        for name, value in whole.items():
            together = torch.cat([state[name] for state in streams])
            torch.testing.assert_close(together, value, rtol=0, atol=1e-4)


def test_a_worker_whose_streams_are_over_waits_for_the_others(flags_of, tmp_path):
    """One of two streams has 13 segments and the other 12: the second worker's last is empty."""
    streams = ["--tokens-per-sample", 68, "--window-segments", 1, "--update-freq", 1]
    folders = tmp_path / "one", tmp_path / "two"
    one, two = (
        flags_of("rmt_lm", *streams, "--max-update", 15, "--batch-size", size, "--save-dir", folder)
        for size, folder in zip((2, 1), folders)
    )
    assert "begin training epoch 2" in succeed("fairseq-train", *one)
    workers_succeed("fairseq-train", *two)
    of_one, of_two = (last(folder)["model"] for folder in folders)
    for name, value in of_one.items():
        torch.testing.assert_close(of_two[name], value, rtol=0, atol=1e-5, msg=name)


@pytest.mark.parametrize("family", FAMILIES)
def test_fine_tuning(family, trained_by_two, flags_of, tmp_path):
    """Both workers begin with the weights of the model that is given."""
    source = trained_by_two(family, DEFAULT)
    workers_succeed(
        "fairseq-train",
        *flags_of(family, "--max-update", 2, "--lr", 0, "--save-dir", tmp_path),
        *["--finetune-from-model", source / "checkpoint_last.pt"],
    )
    state = last(tmp_path)
    assert state["optimizer_history"][-1]["num_updates"] == 2
    assert same(state["model"], last(source)["model"])


def test_figures_are_summed_over_workers(trained_by_two, flags_of, toy_data):
    """`fairseq-validate` of two workers says what that of one says; the second has a batch less."""
    path = trained_by_two("mem_transformer", DEFAULT) / "checkpoint_last.pt"
    command = [
        "fairseq-validate", toy_data, "--user-dir", "fairseq_memtx", "--path", path, "--cpu",
        "--batch-size", 3, "--required-batch-size-multiple", 1, "--log-format", "simple",
        "--task", "translation", "--all-gather-list-size", 100,
    ]  # fmt: skip
    first, _ = run_workers(*command)
    losses = [re.findall(r"\| loss (\S+)", text) for text in (first.stdout, succeed(*command))]
    assert losses[0] == losses[1] != []


def test_a_text_is_evaluated_by_one_worker(trained_by_two, toy_lm):
    """Not by two, of which the first would print the loss of its half."""
    results = run_workers(
        "fairseq-eval-lm", toy_lm, "--user-dir", "fairseq_memtx", "--cpu", "--gen-subset", "valid",
        "--task", "rmt_language_modeling",
        "--path", trained_by_two("rmt_lm", DEFAULT) / "checkpoint_last.pt",
    )  # fmt: skip
    assert all("run fairseq-eval-lm in one process" in line for line in lines(results))


# --- what goes wrong -----------------------------------------------------------------------------


def lines(results: list[subprocess.CompletedProcess]) -> list[str]:
    """How workers that all had to fail ended: the last line of each, without traceback."""
    for result in results:
        assert result.returncode == 1, (result.stdout + result.stderr)[-4000:]
        assert "Traceback" not in result.stderr, result.stderr[-4000:]
    return [result.stderr.strip().splitlines()[-1] for result in results]


def test_a_checkpoint_that_is_refused_ends_all(flags_of, tmp_path):
    """The first worker alone reads the file, and the others wait for what it says."""
    (tmp_path / "checkpoint_last.pt").write_bytes(b"PK\x03\x04 torn")
    results = run_workers(
        "fairseq-train", *flags_of("mem_transformer", "--save-dir", tmp_path), timeout=120
    )
    first, second = (line.partition("error: ")[2] for line in lines(results))
    assert first == second
    assert str(tmp_path / "checkpoint_last.pt") in first


# A plugin around ours in whose runs the second worker is out of memory in a step.
OUT_OF_MEMORY = """
import os
from fairseq.tasks import FairseqTask
from fairseq_memtx import models
whole = FairseqTask.train_step

def train_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False):
    if os.environ["RANK"] == "1" and update_num == {step}:
        raise RuntimeError("CUDA out of memory")
    return whole(self, sample, model, criterion, optimizer, update_num, ignore_grad)

FairseqTask.train_step = train_step
"""


@pytest.mark.parametrize(("backend", "step"), [(LEGACY, 0), (LEGACY, 1), (DEFAULT, 0)])
def test_a_worker_out_of_memory_leaves_nobody_waiting(flags_of, tmp_path, backend, step):
    """Also in its very first step, where it has neither figures nor a state of its streams."""
    plugin = tmp_path / f"out_of_memory_{step}"
    plugin.mkdir()
    (plugin / "__init__.py").write_text(OUT_OF_MEMORY.format(step=step))
    results = run_workers(
        "fairseq-train",
        *flags_of("rmt_lm", "--update-freq", 1, "--max-update", 4, "--save-dir", tmp_path),
        *["--save-interval-updates", 1, "--user-dir", plugin, "--ddp-backend", backend],
        timeout=120,
    )
    if backend == DEFAULT:
        first, second = lines(results)
        assert "worker 1 is out of memory" in second
        assert "--ddp-backend legacy_ddp" in second
        assert "another worker of this run has ended" in first
        return
    for result in results:
        assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
    assert last(tmp_path)["optimizer_history"][-1]["num_updates"] == 4
    updates = range(1, 4)
    saved = [torch.load(tmp_path / f"checkpoint_1_{update}.pt") for update in updates]
    streams = [state["extra_state"]["train_iterator"]["streams"] for state in saved]
    first, second = zip(*streams)
    assert all(first), "the other worker went on"
    assert (second[0] is None) == (step == 0), "no state before its first step succeeded"
    assert second[1] is not None


def test_torchrun_on_one_machine(flags_of, tmp_path):
    """As README says it, without a GPU: one run and not two."""
    script = Path(sys.executable).with_name("fairseq-train")
    flags = flags_of("rmt_lm", "--max-update", 2, "--save-dir", tmp_path)
    output = succeed(
        "torchrun", "--standalone", "--nproc_per_node", 2, script, *flags, env=with_commands()
    )
    assert "training on 2 devices" in output
    assert "training on 1 devices" not in output
    assert len(last(tmp_path)["extra_state"]["train_iterator"]["streams"]) == 2


def test_several_workers_need_a_launcher(flags_of, tmp_path):
    line = fail(
        "fairseq-train",
        *flags_of("rmt_lm", "--distributed-world-size", 2, "--save-dir", tmp_path),
    )
    assert 'torchrun --nproc_per_node 2 "$(which fairseq-train)"' in line


def test_a_loss_that_one_backend_cannot_have(flags_of, tmp_path):
    line = fail(
        "fairseq-train",
        *flags_of("rmt_lm", "--adaptive-softmax-cutoff", 8, "--save-dir", tmp_path),
        *["--criterion", "adaptive_loss"],
    )
    assert "use --criterion segment_cross_entropy, or --ddp-backend legacy_ddp" in line
