"""Facts in noise through fairseq's commands: what counts as right, stages, trained models."""

import json
import re
from argparse import Namespace

import pytest
import torch
from conftest import ROOT, fail, succeed, workers_succeed
from fairseq import criterions, options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import OmegaConf

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.tasks.facts_in_noise import FactsInNoiseConfig

PLUGIN = ["--user-dir", "fairseq_memtx", "--task", "facts_in_noise", "--cpu", "--num-workers", 0]
TRAIN = [
    *PLUGIN, "--tokens-per-sample", 8, "--train-size", 24, "--valid-size", 16, "--batch-size", 8,
    "--criterion", "cross_entropy", "--optimizer", "adam", "--lr", 1e-3, "--log-format", "simple",
    "--no-epoch-checkpoints", "--noise-words", 20,
]  # fmt: skip


def setup(*flags: object, arch: str = "rmt_lm_tiny"):
    """Task, model and criterion of a command line."""
    parser = options.get_training_parser()
    arguments = ["--task", "facts_in_noise", "--arch", arch, *map(str, flags)]
    cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, arguments))
    task = tasks.setup_task(cfg.task)
    torch.manual_seed(1)
    model = task.build_model(cfg.model).eval()
    return task, model, criterions.build_criterion(cfg.criterion, task)


def first_batch(task, split: str = "valid", size: int = 6) -> dict:
    task.load_dataset(split)
    dataset = task.dataset(split)
    return dataset.collater([dataset[index] for index in range(size)])


@pytest.mark.parametrize(
    ("arch", "criterion"),
    [
        ("rmt_lm_tiny", "cross_entropy"),
        ("rmt_lm_tiny", "label_smoothed_cross_entropy"),
        ("rmt_lm_tiny", "adaptive_loss"),
        ("transformer_lm", "cross_entropy"),
    ],
)
def test_loss_and_accuracy_are_of_the_answers_alone(arch, criterion):
    flags = ["--criterion", criterion, "--segments", 3, "--tokens-per-sample", 8]
    if criterion == "adaptive_loss":
        flags += ["--adaptive-softmax-cutoff", "10,20", "--ddp-backend", "legacy_ddp"]
    if arch == "transformer_lm":
        flags += ["--decoder-layers", 1, "--decoder-embed-dim", 16]
    task, model, criterion = setup(*flags, arch=arch)
    batch = first_batch(task)
    source = batch["net_input"]["src_tokens"]
    with torch.no_grad():
        logs = model.get_normalized_probs(model(source), log_probs=True)[:, -1]
    answers = task.dataset("valid").collater([task.dataset("valid")[i] for i in range(6)])["target"]
    answers = answers[:, -1]
    for moved in (0, 1):
        # Two of the model's own likeliest words in place of the answers, which moved are wrong.
        batch["target"][:2, -1] = logs[:2].argmax(dim=-1) + moved
        batch["target"][2:, -1] = logs[2:].argmin(dim=-1)
        loss, size, log = task.valid_step(batch, model, criterion)
        assert (log["right"], log["answers"], size) == (2 * (1 - moved), 6, 6)
        if "smoothed" not in type(criterion).__name__.lower():
            expected = -logs.gather(1, batch["target"][:, -1:]).sum()
            assert torch.isclose(loss, expected, rtol=1e-4)
    assert all(task.dictionary[answer] in task.teller.answers for answer in answers)


def test_chance_is_logged_beside_accuracy():
    task, model, criterion = setup("--segments", 2, "--places", 5)
    logs = [task.valid_step(first_batch(task, size=size), model, criterion)[2] for size in (6, 2)]
    logs[0]["right"], logs[1]["right"] = 3, 1
    from fairseq.logging import metrics

    with metrics.aggregate(new_root=True) as found:
        task.reduce_metrics(logs, criterion)
    assert found.get_smoothed_value("accuracy") == 0.5
    assert found.get_smoothed_value("chance") == 0.2


def test_rows_get_longer_when_a_stage_is_learnt():
    task, model, _ = setup("--segment-curriculum", "1:0.9,3", "--tokens-per-sample", 8)
    lengths, accuracies = [], [0.95, 0.95, 0.0, 0.0]

    class Aggregated:
        def get_smoothed_value(self, name):
            return {"accuracy": accuracy}[name]

    task.load_dataset("valid")
    for epoch, accuracy in enumerate(accuracies, 1):
        task.load_dataset("train", epoch)
        task.begin_valid_epoch(epoch, model)
        lengths.append((task.dataset("train").sizes.max(), task.dataset("valid").sizes.max()))
        task.post_validate(model, {}, Aggregated())
        accuracy = 0.0  # of the next validation set, which does not matter
        task.post_validate(model, {}, Aggregated())
    assert lengths == [(8, 8), (8, 8), (24, 24), (24, 24)]
    assert task.max_positions() == 24


def test_a_trained_models_words_count():
    """In evaluation; a training cannot change them any more."""
    state = setup("--noise-words", 50)[0].state_dict()
    task, _, _ = setup("--noise-words", 30, "--facts", 2)
    task.load_state_dict(state)
    assert task.dictionary.symbols[4:] == state["words"]
    task.load_dataset("valid")
    assert max(task.dataset("valid")[0]["source"].tolist()) > 44
    other, _, _ = setup("--noise-words", 30)
    other.load_dataset("valid")
    with pytest.raises(MemtxError, match="the checkpoint was trained with other words"):
        other.load_state_dict(state)
    with pytest.raises(MemtxError, match="the checkpoint was trained without the words"):
        setup("--names", 6)[0].load_state_dict(state)


def test_a_shorter_curriculum_for_a_trained_model():
    task, _, _ = setup("--segment-curriculum", "1:5,2")
    task.load_state_dict({**task.state_dict(), "place": {**task.stages.begin(), "stage": 4}})
    assert task.segments == 2


def test_an_epoch_draws_new_examples():
    task, _, _ = setup("--segments", 1, "--shorter", 0)
    rows = []
    for epoch in (1, 2):
        task.load_dataset("train", epoch=epoch)
        rows.append(task.dataset("train")[0]["source"])
    assert not torch.equal(*rows)


def test_the_yaml_has_the_defaults_of_the_command_line():
    settings = OmegaConf.load(ROOT / "fairseq_memtx/config/task/facts_in_noise.yaml")
    known = vars(FactsInNoiseConfig())
    assert settings.pop("_name") == "facts_in_noise"
    assert {name: known[name] for name in settings} == dict(settings)
    assert known.keys() - settings.keys() == {
        "_name", "seed", "add_bos_token", "length_curve", "length_curve_file"
    }  # fmt: skip


@pytest.mark.training
def test_training_validation_and_the_curve(tmp_path):
    flags = [*TRAIN, "--arch", "rmt_lm_tiny", "--memory-tokens", 2]
    output = succeed(
        "fairseq-train", *flags, "--segment-curriculum", "1:3,2", "--max-update", 6, "--save-dir",
        tmp_path,
    )  # fmt: skip
    assert "stage 2: rows of 2 segments" in output
    row = re.search(r"valid on 'valid' subset.* accuracy (\S+) \| chance (\S+)", output)
    assert 0 <= float(row[1]) <= 1
    assert row[2] == "0.1667"
    path = ["--path", tmp_path / "checkpoint_last.pt", "--batch-size", 4]
    output = succeed("fairseq-validate", *PLUGIN, *path, "--valid-subset", "test", "--test-size", 9)
    assert "chance 0.1667" in output
    file = tmp_path / "curve.jsonl"
    output = succeed(
        "fairseq-validate", *PLUGIN, *path, "--length-curve", "2,5", "--length-curve-file", file,
        "--valid-size", 6, "--facts", 3, "--placement", "start",
    )  # fmt: skip
    table = [line.split() for line in output.splitlines() if re.match(r" +\d+ +\d+ ", line)]
    assert [[*row[:2], row[3]] for row in table] == [["2", "16", "6"], ["5", "40", "6"]]
    assert [json.loads(line)["tokens"] for line in file.read_text().splitlines()] == [16, 40]
    line = fail("fairseq-validate", *PLUGIN, *path, "--places", 7)
    assert "the checkpoint was trained without the words" in line


@pytest.mark.training
def test_a_stopped_training_goes_on_in_its_stage(tmp_path):
    """Stopped within an epoch of three updates, and at the end of one."""
    flags = [*TRAIN, "--arch", "rmt_lm_tiny", "--segment-curriculum", "1:3,2:4,3", "--seed", 3]
    weights = []
    for name, ends in [("whole", [11]), ("stopped", [4, 6, 11])]:
        for end in ends:
            succeed("fairseq-train", *flags, "--save-dir", tmp_path / name, "--max-update", end)
        state = torch.load(tmp_path / name / "checkpoint_last.pt", weights_only=False)
        weights.append((state["model"], state["task_state"]["place"]))
    assert weights[0][1] == weights[1][1]
    assert weights[0][1]["stage"] == 2
    assert all(torch.equal(weights[0][0][name], weights[1][0][name]) for name in weights[0][0])


@pytest.mark.training
@pytest.mark.processes
@pytest.mark.parametrize("backend", ["pytorch_ddp", "legacy_ddp"])
def test_two_workers_go_through_the_stages_together(backend, tmp_path):
    """In rows of one segment nothing reads what layers keep, so that writing has no gradient."""
    flags = [
        *TRAIN, "--arch", "armt_lm_tiny", "--segment-curriculum", "1:3,2:2,3:0.99,4",
        "--num-workers", 1, "--max-update", 10, "--save-interval-updates", 5, "--ddp-backend",
        backend,
    ]  # fmt: skip
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    workers_succeed("fairseq-train", *flags, "--save-dir", whole)
    stopped.mkdir()
    (middle,) = whole.glob("checkpoint_*_5.pt")
    (stopped / "checkpoint_last.pt").write_bytes(middle.read_bytes())
    workers_succeed("fairseq-train", *flags, "--save-dir", stopped)
    expected, resumed = (torch.load(path / "checkpoint_last.pt") for path in (whole, stopped))
    assert expected["task_state"]["place"] == resumed["task_state"]["place"]
    assert expected["task_state"]["place"]["stage"] >= 2
    for name, weight in expected["model"].items():
        assert torch.equal(resumed["model"][name], weight), name


@pytest.mark.training
def test_other_models_read_a_row_at_once(tmp_path):
    small = ["--arch", "transformer_lm", "--decoder-layers", 1, "--decoder-embed-dim", 16]
    flags = [*TRAIN, *small, "--segments", 3, "--max-update", 3]
    assert "accuracy" in succeed("fairseq-train", *flags, "--save-dir", tmp_path)
    path = ["--path", tmp_path / "checkpoint_last.pt", "--batch-size", 4]
    line = fail("fairseq-validate", *PLUGIN, *path, "--length-curve", "2,5")
    assert "--length-curve is for models with segments, such as --arch rmt_lm" in line


def test_flags_that_make_no_sense(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("\n".join(["The dog sat in the cellar ."] * 500))
    for flags, line in [
        (["--facts", 5], "--facts 5"),
        (["--places", 1], "--places"),
        (["--questions", "three"], "--questions three is not known: choose one of one"),
        (["--shorter", 1.5], "--shorter 1.5 is no share: use 0 to 1"),
        (["--noise", text], "holds the answers cellar, which are no facts there"),
        (["--noise", text, "--segments", 20], "text.txt is too short: a row has up to 640 tokens"),
        (["--segments", 0], "--segments 0 is too small: use 1 or more"),
        (["--bptt-depth", -1], "--bptt-depth -1 is too small: use 0 or more"),
        (["--segment-curriculum", "one"], "--segment-curriculum one is not understood"),
    ]:
        with pytest.raises(MemtxError, match=re.escape(line)):
            setup(*flags)


def test_flags_that_make_no_sense_in_training():
    for flags, line in [
        (["--segments", 2, "--segment-curriculum", "1:9,2"], "--segments 2 and --segment-curr"),
        (["--length-curve", "8"], "--length-curve is for fairseq-validate: leave it out"),
        (["--length-curve-file", "c"], "--length-curve-file is for fairseq-validate: leave it out"),
        (["--tokens-per-sample", 8, "--segments", 2, "--facts", 4], "needs 3 segments of --tokens"),
    ]:
        task, _, _ = setup(*flags)
        with pytest.raises(MemtxError, match=re.escape(line)):
            task.load_dataset("train")


def test_a_curve_needs_a_number_of_rows():
    task, _, _ = setup("--length-curve", "8")
    task.load_dataset("valid")
    with pytest.raises(MemtxError, match="--length-curve needs --batch-size"):
        task.get_batch_iterator(task.dataset("valid"), max_tokens=100)


def test_a_file_needs_a_curve():
    task, _, _ = setup("--length-curve-file", "curve")
    task.load_dataset("valid")
    with pytest.raises(MemtxError, match="--length-curve-file needs --length-curve"):
        task.get_batch_iterator(task.dataset("valid"), max_sentences=4)


@pytest.mark.parametrize(("depth", "segments"), [(None, [5]), (1, [3, 2]), (0, [4, 1]), (9, [5])])
def test_a_step_goes_back_as_far_as_it_is_told(depth, segments):
    """What the model reads in a step: the beginning as it is, the end with gradients."""
    flags = ["--segments", 5, "--tokens-per-sample", 8, "--criterion", "cross_entropy"]
    flags += [] if depth is None else ["--bptt-depth", depth]
    task, model, criterion = setup(*flags)
    batch = first_batch(task)  # rows of training may be shorter
    read = []
    model.register_forward_hook(
        lambda _, args, inputs, output: read.append(
            (inputs.get("src_tokens", args[0] if args else None).size(1), torch.is_grad_enabled())
        ),
        with_kwargs=True,
    )
    optimizer = Namespace(backward=lambda loss: loss.backward())
    task.train_step(batch, model, criterion, optimizer, 0)
    gradients = [False] * (len(segments) - 1) + [True]
    assert read == [(8 * length, on) for length, on in zip(segments, gradients, strict=True)]
