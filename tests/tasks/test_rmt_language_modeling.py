"""Streams through fairseq: whose state it is, what is counted, what a resumed run does."""

import copy
import pickle
import re
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from conftest import fail, succeed
from fairseq import checkpoint_utils, metrics, options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.optim import AMPOptimizer
from worker_pairs import call_workers

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.modules.state_holder import StateHolder

PLUGIN = ["--user-dir", "fairseq_memtx", "--task", "rmt_language_modeling", "--cpu"]
MODEL = [
    "--arch", "rmt_lm_tiny", "--tokens-per-sample", 8, "--batch-size", 2, "--cache-length", 4,
    "--criterion", "cross_entropy", "--optimizer", "adam", "--lr", 1e-3, "--num-workers", 0,
    "--log-format", "simple",
]  # fmt: skip


def tokens(toy_text: Path, split: str) -> int:
    """Words and ends of lines."""
    lines = (toy_text / f"{split}.src").read_text().splitlines()
    return sum(len(line.split()) + 1 for line in lines)


def setup(data: Path, *flags: object):
    """The task of a command line, with a model and a criterion, in this process."""
    parser = options.get_training_parser()
    arguments = [str(data), *PLUGIN[2:], *map(str, MODEL), "--dropout", "0", *map(str, flags)]
    cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, arguments))
    task = tasks.setup_task(cfg.task)
    torch.manual_seed(1)
    return task, task.build_model(cfg.model), task.build_criterion(cfg.criterion)


def batches(task, split: str, streams: int = 2) -> list[dict]:
    task.load_dataset(split)
    iterator = task.get_batch_iterator(task.dataset(split), max_sentences=streams)
    return list(iterator.next_epoch_itr(shuffle=False))


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_each_subset_has_its_own_state(toy_lm):
    task, model, criterion = setup(toy_lm)
    train, valid = batches(task, "train"), batches(task, "valid")
    optimizer = type("Optimizer", (), {"backward": lambda self, loss: loss.backward()})()
    for batch in train[:3]:
        task.train_step(batch, model, criterion, optimizer, 0)
    before = task.states["train"]
    assert "memory" in before
    model.eval()
    for batch in valid[:2]:
        task.valid_step(batch, model, criterion)
    assert same(task.states["train"], before)
    kept = task.states["valid valid"]
    for batch in batches(task, "heldout")[:1]:
        task.valid_step(batch, model, criterion)
    assert same(task.states["valid valid"], kept)
    # A stand-in for a missing batch, and a step that fails, change nothing either.
    model.train()
    task.train_step(train[0], model, criterion, optimizer, 0, ignore_grad=True)
    assert same(task.states["train"], before)
    criterion.forward = _out_of_memory
    with pytest.raises(RuntimeError, match="out of memory"):
        task.train_step(train[3], model, criterion, optimizer, 0)
    assert same(task.states["train"], before)
    # The first window of the next epoch begins with an empty memory.
    assert task._put_state(train[0], "train").state == {}
    assert task._put_state(train[3], "train").state["memory"] is before["memory"]


def test_a_batch_that_is_tried_again_begins_where_it_began(toy_lm):
    """Fairseq tries the batches of an update again whose gradients overflowed under ``--amp``."""

    class Overflowing(AMPOptimizer):
        scaler = None

        def __init__(self) -> None:
            pass

        def backward(self, loss) -> None:
            loss.backward()

    task, model, criterion = setup(toy_lm)
    first, second, third = batches(task, "train")[:3]

    def states(update: int, *tried: dict) -> list:
        found = []
        for batch in tried:
            task.train_step(batch, model, criterion, Overflowing(), update)
            found.append(task.states["train"])
        return found

    once = states(0, first, second)
    again = states(0, first, second, second)
    assert all(same(*pair) for pair in zip(once + once[1:], again))
    # Another update goes on, also with the same window in the next epoch.
    (after,) = states(1, third)
    assert same(states(1, third)[0], after)
    assert not same(states(2, third)[0], after)


def test_validation_keeps_its_workers(toy_lm):
    """A new iterator would start, and end, the processes that load data for every validation."""
    task, _, _ = setup(toy_lm)
    for split in ("train", "valid"):
        task.load_dataset(split)
    iterators = {
        split: [task.get_batch_iterator(task.dataset(split), 2) for _ in range(2)]
        for split in ("train", "valid")
    }
    assert iterators["valid"][0] is iterators["valid"][1]
    assert iterators["train"][0] is not iterators["train"][1]
    loaders = []
    for _ in range(2):
        assert len(
            list(iterators["valid"][0].next_epoch_itr(shuffle=False, set_dataset_epoch=False))
        )
        loaders.append(iterators["valid"][0].dataloader)
    assert loaders[0] is loaders[1]
    task.load_dataset("valid")
    assert task.get_batch_iterator(task.dataset("valid"), 2) is not iterators["valid"][0]


def test_a_window_is_read_again_from_the_memory_before_it(toy_lm):
    """Each loss is that of reading the whole text up to there: no segment is remembered twice."""
    task, model, criterion = setup(toy_lm, "--window-segments", 3, "--stride-segments", 1)
    optimizer = type("Optimizer", (), {"backward": lambda self, loss: None})()
    read = torch.empty(2, 0, dtype=torch.long)
    for batch in batches(task, "train")[:7]:
        scored = batch["net_input"]["src_tokens"][:, batch["net_input"]["warm_up"] * 8 :]
        read = torch.cat([read, scored], dim=1)
        loss, _, _ = task.train_step(batch, model, criterion, optimizer, 0)
        log_probs = model.get_normalized_probs(model(read), log_probs=True)[:, -8:]
        expected = -log_probs.gather(2, batch["target"].unsqueeze(2)).sum()
        torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)


def _out_of_memory(model, sample):
    model(**sample["net_input"])
    raise RuntimeError("out of memory")


def steps_of_the_first_worker(data: Path) -> list:
    """Three steps of one worker, none of the other; then a checkpoint is about to be written."""
    from fairseq.distributed import utils as distributed_utils

    task, model, criterion = setup(data)
    task.load_dataset("train")
    worker = distributed_utils.get_data_parallel_rank()
    iterator = task.get_batch_iterator(
        task.dataset("train"), max_sentences=1, num_shards=2, shard_id=worker
    )
    windows = iterator.next_epoch_itr(shuffle=False)
    optimizer = type("Optimizer", (), {"backward": lambda self, loss: loss.backward()})()
    for window in [next(windows) for _ in range(3)][: 0 if worker else 3]:
        task.train_step(window, model, criterion, optimizer, 0)
    iterator.gather()
    return [
        state and {name: part.tolist() for name, part in state.items()}
        for state in [*iterator.of_workers, task.states.get("train")]
    ]


@pytest.mark.processes
def test_states_travel_when_a_checkpoint_is_written_and_to_the_first_worker(toy_lm):
    """No step waits for another worker's, and one that has no state has none in the checkpoint."""
    first, second = call_workers(steps_of_the_first_worker, toy_lm, timeout=60)
    assert first[0] == first[2] is not None
    assert first[1] is None
    assert second == [None], "all that the second worker knows is its own"


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--window-segments", 3, "--stride-segments", 1],
        ["--segment-curriculum", "1:3,2:2,3:4,5"],
    ],
)
def test_resumed_run_is_the_same_run(toy_lm, tmp_path, flags):
    """Killed after 7 of 12 updates and started again: the same weights, bit for bit."""
    train = ["fairseq-train", toy_lm, *PLUGIN, *MODEL, *flags, "--max-update", 12]
    train += ["--update-freq", 2, "--save-interval-updates", 7, "--save-dir"]
    succeed(*train, tmp_path / "whole")
    (tmp_path / "resumed").mkdir()
    middle = (tmp_path / "whole/checkpoint_1_7.pt").read_bytes()
    (tmp_path / "resumed/checkpoint_last.pt").write_bytes(middle)
    output = succeed(*train, tmp_path / "resumed", "--batch-size-valid", 3)
    assert "Loaded checkpoint" in output
    whole, resumed = (
        checkpoint_utils.load_checkpoint_to_cpu(str(tmp_path / name / "checkpoint_last.pt"))
        for name in ("whole", "resumed")
    )
    for name, value in whole["model"].items():
        assert torch.equal(resumed["model"][name], value), name
    streams = [run["extra_state"]["train_iterator"]["streams"][0] for run in (whole, resumed)]
    assert same(*streams)
    line = fail(*train, tmp_path / "resumed", "--batch-size", 3, "--max-update", 14)
    assert "with streams 2 and this run has 3: use the same --batch-size" in line


def test_curriculum_counts_updates(toy_lm, tmp_path):
    """Windows grow with the updates, from a checkpoint and in a later epoch too."""
    train = ["fairseq-train", toy_lm, *PLUGIN, *MODEL, "--segment-curriculum", "1:2,2:30,4"]
    train += ["--update-freq", 2, "--log-interval", 1, "--disable-validation"]
    train += ["--no-epoch-checkpoints", "--save-dir", tmp_path]
    output = succeed(*train, "--max-update", 30) + succeed(*train, "--max-update", 36)
    # Reading the text from its start on does not unlearn, nor does a layout that was refused.
    output += succeed(*train, "--max-update", 38, "--reset-dataloader", "--batch-size", 2)
    rows = re.findall(r"epoch (\d+): .*wpb=(\d+), .*num_updates=(\d+)", output)
    segments = {int(update): int(tokens) // (2 * 2 * 8) for _, tokens, update in rows}
    assert [segments[update] for update in (1, 2, 3, 4, 5, 24)] == [1, 1, 2, 2, 2, 2]
    assert [segments[update] for update in (31, 32, 33, 36, 37)] == [2, 2, 4, 4, 4]
    assert next(int(update) for epoch, _, update in rows if epoch == "002") < 31


def test_a_curriculum_knows_how_many_windows_an_update_has_in_each_epoch(toy_lm):
    """``--update-freq 1,3``: one in the first epoch, three in all that follow."""
    task, _, _ = setup(toy_lm, "--segment-curriculum", "1:2,2:1,4", "--update-freq", "1,3")
    task.load_dataset("train")
    for epoch, expected in [(1, [1, 1, 2, 4]), (2, [1] * 6 + [2] * 3 + [4])]:
        for later in (epoch, epoch * 4 - 3):  # 1 and 1, 2 and 5
            iterator = task.get_batch_iterator(task.dataset("train"), max_sentences=2, epoch=later)
            windows = iterator.dataset.windows[: len(expected)]
            assert [window.last - window.scored for window in windows] == expected


@pytest.mark.parametrize("segments", [1, 2])
def test_tensorboard_shows_the_memory(toy_lm, tmp_path, segments):
    """Its size, its change, and the gradient, which has borders to cross only in longer windows."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    succeed(
        "fairseq-train", toy_lm, *PLUGIN, *MODEL, "--max-update", 4, "--no-save", "--log-interval",
        2, "--tensorboard-logdir", tmp_path, "--window-segments", segments, "--disable-validation",
    )  # fmt: skip
    events = EventAccumulator(str(tmp_path / "train_inner")).Reload()
    figures = {
        name: [event.value for event in events.Scalars(f"memory_{name}")]
        for name in ("norm", "change", "gradient")
    }
    assert {len(values) for values in figures.values()} == {2}
    assert all(0.5 * 8 < norm < 2 * 8 for norm in figures["norm"]), "64 channels of unit scale"
    assert all(0 < change < 3 for change in figures["change"])
    assert all((gradient > 0) == (segments > 1) for gradient in figures["gradient"])


def test_every_token_is_counted(toy_lm, toy_text, tmp_path):
    """Validation and evaluation score each token once and agree with each other."""
    output = succeed(
        "fairseq-train", toy_lm, *PLUGIN, *MODEL, "--max-update", 3, "--save-dir", tmp_path
    )
    assert "valid on 'valid' subset" in output
    path = ["--path", tmp_path / "checkpoint_last.pt"]
    valid = ["--gen-subset", "valid"]
    # The model's segments count, whatever is said here.
    length = ["--tokens-per-sample", 7]
    evaluated = succeed("fairseq-eval-lm", toy_lm, *PLUGIN, *path, *valid, *length)
    assert f"Evaluated {tokens(toy_text, 'valid')} tokens" in evaluated
    loss = float(re.search(r"Loss \(base 2\): ([\d.]+)", evaluated)[1])
    validated = succeed(
        "fairseq-validate", toy_lm, *PLUGIN, *path, "--valid-subset", "valid", "--batch-size", 1
    )
    row = re.search(r"loss ([\d.]+) .*wpb (\d+)", validated)
    assert abs(float(row[1]) - loss) < 2e-3
    assert int(row[2]) == tokens(toy_text, "valid")
    line = fail("fairseq-eval-lm", toy_lm, *PLUGIN, *path, *valid, "--context-window", 4)
    assert "--context-window feeds the text twice" in line


def test_documents_are_scored_as_if_alone(tmp_path):
    """With resets there is no memory and no cache of another document."""
    documents = [f"{'one two three ' * n}\nfour five\n\n" for n in (1, 9, 2, 5, 3)]
    (tmp_path / "text").write_text("".join(documents))
    succeed(
        "fairseq-preprocess", "--only-source", "--trainpref", tmp_path / "text", "--validpref",
        tmp_path / "text", "--destdir", tmp_path / "bin",
    )  # fmt: skip
    task, model, criterion = setup(tmp_path / "bin", "--reset-memory-at-documents")
    model.eval()
    scored = [task.valid_step(x, model, criterion) for x in batches(task, "valid", 1)]
    dictionary, expected, count = task.source_dictionary, 0.0, 0
    for document in documents:
        lines = [dictionary.encode_line(line, append_eos=True) for line in document.splitlines()]
        target = torch.cat(lines).long().unsqueeze(0)
        tokens = torch.cat([target.new_full((1, 1), dictionary.eos()), target[:, :-1]], dim=1)
        log_probs = model.get_normalized_probs(model(tokens), log_probs=True)
        expected -= log_probs.gather(2, target.unsqueeze(2)).sum().item()
        count += target.numel()
    assert sum(size for _, size, _ in scored) == count
    assert sum(loss.item() for loss, _, _ in scored) == pytest.approx(expected, rel=1e-5)


def test_continues_a_prompt(toy_lm, tmp_path):
    """`fairseq-interactive` and the hub, beyond a segment; scores are those of reading the text."""
    from fairseq_memtx.models.rmt_lm import RmtLanguageModel

    succeed("fairseq-train", toy_lm, *PLUGIN, *MODEL, "--max-update", 3, "--save-dir", tmp_path)
    prompt = "one two three four five six seven eight nine ten one two"
    output = succeed(
        "fairseq-interactive", toy_lm, *PLUGIN, "--path", tmp_path / "checkpoint_last.pt",
        "--beam", 3, "--max-len-b", 30, input=f"{prompt}\none two\n",
    )  # fmt: skip
    written = re.findall(r"^H-\d\t\S+\t(.*)$", output, re.MULTILINE)
    assert len(written) == 2
    assert written[0].startswith(prompt)
    hub = RmtLanguageModel.from_pretrained(str(tmp_path), "checkpoint_last.pt", str(toy_lm))
    best = hub.generate(hub.encode(prompt), beam=2, max_len_b=30)[0]
    scores = hub.score(hub.decode(best["tokens"]))["positional_scores"]
    torch.testing.assert_close(best["positional_scores"][: len(scores)], scores[: len(scores)])
    greedy = hub.generate(hub.encode(prompt), beam=1, max_len_b=30)[0]["tokens"]
    with torch.no_grad():
        scores = hub.models[0](torch.cat([greedy.new_tensor([2]), greedy])[None, :-1])[0]
    written = scores[0, len(prompt.split()) :, 2:].argmax(dim=-1) + 2  # never <s> or <pad>
    assert len(written) > 8, "into another segment"
    assert greedy[len(prompt.split()) : -1].tolist() == written[:-1].tolist()
    assert hub.sample(prompt, sampling=True, beam=1, max_len_b=30).startswith(prompt)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--window-segments", 2, "--stride-segments", 3], "the stride is at least 1 and at most"),
        (["--window-segments", 0], "windows of 0 segments and --stride-segments 0"),
        (["--segment-curriculum", "2:5,4", "--window-segments", 4], "contradict each other"),
        (["--segment-curriculum", "2:5,4", "--stride-segments", 3], "the stride is at least 1 and"),
        (["--segment-curriculum", "2:5;4"], "write SEGMENTS:UPDATES for every stage"),
        (["--self-target"], "--self-target and --past-target"),
    ],
)
def test_windows_that_make_no_sense(toy_lm, flags, says):
    with pytest.raises(MemtxError, match=says):
        setup(toy_lm, *flags)


def test_missing_and_short_texts(toy_lm, tmp_path):
    task, _, _ = setup(toy_lm)
    with pytest.raises(MemtxError, match=r"there is no .*nowhere.bin: give the folder"):
        task.load_dataset("nowhere")
    with pytest.raises(MemtxError, match="cannot fill 999 streams: use a smaller --batch-size"):
        batches(task, "train", streams=999)
    with pytest.raises(MemtxError, match="--batch-size is missing"):
        batches(task, "train", streams=None)
    for kind in ("bin", "idx"):
        (tmp_path / f"valid.{kind}").write_bytes((toy_lm / f"valid.{kind}").read_bytes()[:-2])
    (tmp_path / "dict.txt").write_bytes((toy_lm / "dict.txt").read_bytes())
    task, _, _ = setup(tmp_path)
    with pytest.raises(MemtxError, match=r"valid.idx is cut off"):
        task.load_dataset("valid")


def test_windows_can_be_sent_to_workers(toy_lm):
    """Where processes are spawned and not forked, as on a Mac, what makes batches is pickled."""
    task, _, _ = setup(toy_lm)
    task.load_dataset("train")
    iterator = task.get_batch_iterator(task.dataset("train"), max_sentences=2)
    dataset, collate = pickle.loads(pickle.dumps((iterator.dataset, iterator.collate_fn)))
    batch, expected = collate([dataset[1]]), iterator.collate_fn([iterator.dataset[1]])
    assert batch["subset"] == "train"
    assert torch.equal(batch["target"], expected["target"])


@pytest.mark.training
def test_checkpoints_whose_states_had_no_names(toy_lm, tmp_path):
    """A run goes on from one bit for bit: memory, and all layers' caches in one tensor."""
    train = ["fairseq-train", toy_lm, *PLUGIN, *MODEL, "--cache-length", 5, "--max-update", 6]
    train += ["--save-interval-updates", 3, "--save-dir"]
    succeed(*train, tmp_path / "whole")
    saved = torch.load(tmp_path / "whole/checkpoint_1_3.pt", weights_only=False)
    iterator = saved["extra_state"]["train_iterator"]
    (named,) = iterator["streams"]
    layers = sum(name.endswith(".rows") for name in named)
    assert layers > 1
    rows = [named.pop(f"layers.{layer}.rows") for layer in range(layers)]
    visible = [named.pop(f"layers.{layer}.visible") for layer in range(layers)]
    iterator["streams"] = [(named.pop("memory"), torch.stack(rows, dim=1), ~visible[0])]
    assert not named
    (tmp_path / "resumed").mkdir()
    torch.save(saved, tmp_path / "resumed/checkpoint_last.pt")
    assert "Loaded checkpoint" in succeed(*train, tmp_path / "resumed")
    whole, resumed = (
        checkpoint_utils.load_checkpoint_to_cpu(str(tmp_path / name / "checkpoint_last.pt"))
        for name in ("whole", "resumed")
    )
    for name, value in whole["model"].items():
        assert torch.equal(resumed["model"][name], value), name
    assert same(*(run["extra_state"]["train_iterator"]["streams"][0] for run in (whole, resumed)))


def test_model_without_segments(toy_lm):
    line = fail(
        "fairseq-train", toy_lm, *PLUGIN, "--arch", "transformer_lm", "--decoder-layers", 1,
        "--tokens-per-sample", 8, "--batch-size", 2, "--optimizer", "adam",
    )  # fmt: skip
    assert "use --task language_modeling for others" in line


def test_an_empty_text_is_told_in_a_line(tmp_path):
    (tmp_path / "text").touch()
    texts = ["--trainpref", tmp_path / "text", "--validpref", tmp_path / "text"]
    succeed("fairseq-preprocess", "--only-source", *texts, "--destdir", tmp_path / "bin")
    line = fail("fairseq-train", tmp_path / "bin", *PLUGIN, *MODEL, "--no-save")
    assert "valid.bin is empty: give fairseq-preprocess a longer one" in line


@pytest.mark.parametrize("loss_scale", [None, 128.0, "amp"])
@pytest.mark.parametrize(("streams", "update_freq"), [(1, 1), (2, 1), (3, 2)])
def test_the_gradient_of_memory_is_that_of_one_token(toy_lm, loss_scale, streams, update_freq):
    """Whatever the loss is multiplied by in half precision, and however many tokens share it."""
    flags = ["--window-segments", 3, "--update-freq", update_freq]
    task, model, criterion = setup(toy_lm, *flags)
    model = model.double()
    batch = batches(task, "train", streams)[0]
    optimizer = _Optimizer(loss_scale)
    for number in range(update_freq):
        with metrics.aggregate() as logged:
            task.train_step(copy.deepcopy(batch), model, criterion, optimizer, number)
        found = logged["memory_gradient"].val
        # The same window again, by hand, with the loss of a token.
        holder = StateHolder(None, batch["advance"])
        loss, size, _ = criterion(
            model, {**batch, "net_input": {**batch["net_input"], "holder": holder}}
        )
        assert size == batch["ntokens"] > 20
        inside = holder.memories[1:-1]
        gradients = torch.autograd.grad(loss / size, inside)
        expected = torch.stack([gradient.norm() for gradient in gradients]).mean()
        assert found == pytest.approx(expected.item(), rel=1e-6)
        assert found > 0


class _Optimizer:
    """As much as a step asks for, with the loss multiplied as in half precision."""

    def __init__(self, scale) -> None:
        self.scale = 64.0 if scale == "amp" else scale or 1.0
        if scale == "amp":
            self.scaler = Namespace(get_scale=lambda: self.scale)
        elif scale:
            self.scaler = Namespace(loss_scale=scale)

    def backward(self, loss: torch.Tensor) -> None:
        (loss * self.scale).backward()
