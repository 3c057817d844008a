"""What an epoch reads depends on the seed and the epoch, in whichever process it is read."""

import functools
import multiprocessing
import time
from collections import Counter

import pytest
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

import fairseq_memtx.models  # noqa: F401

TASKS = {
    "translation": ["-s", "src", "-t", "tgt"],
    "masked_lm": ["--sample-break-mode", "eos", "--tokens-per-sample", 32, "--mask-prob", 0.3],
    "algorithmic_sequences": ["--train-size", 60, "--sequence-length", 3],
}
ARCH = {"translation": "mem_transformer_tiny", "masked_lm": "gmat_roberta_tiny"}


@pytest.fixture(scope="module")
def process(toy_data, toy_lm):
    """What a process begins with: its task, as the flags make it."""

    @functools.lru_cache
    def configuration(name: str):
        data = {"translation": toy_data, "masked_lm": toy_lm}.get(name)
        arguments = ["--task", name, "--arch", ARCH.get(name, "rmt_lm_tiny"), *TASKS[name]]
        parser = options.get_training_parser()
        arguments = [*([data] if data else []), *arguments]
        cfg = options.parse_args_and_arch(parser, list(map(str, arguments)))
        return convert_namespace_to_omegaconf(cfg).task

    return lambda name: tasks.setup_task(configuration(name))


def train_iterator(task, epoch: int, workers: int, load: bool = True):
    """As fairseq's trainer asks for it."""
    sharded = task.has_sharded_data("train")
    if load or sharded:
        task.load_dataset("train", epoch=epoch)
    return task.get_batch_iterator(
        task.dataset("train"), max_sentences=32, epoch=epoch, num_workers=workers,
        data_buffer_size=2, disable_iterator_cache=sharded,
    )  # fmt: skip


def batches_of(begin, epochs: int, workers: int, stops: list[int], curriculum: int = 0):
    """The batches of a run, by epoch, which ends after each of so many and is started again."""
    read: dict[int, list] = {}
    task = begin()
    iterator, count = train_iterator(task, 1, workers), 0
    while iterator.next_epoch_idx <= epochs:
        shuffle = iterator.next_epoch_idx > curriculum
        for batch in iterator.next_epoch_itr(shuffle=shuffle):
            source = batch["net_input"]["src_tokens"]
            row = (batch["id"].tolist(), source.tolist(), batch["target"].tolist())
            read.setdefault(iterator.epoch, []).append(row)
            count += 1
            if count in stops:
                break
        if count in stops:
            stops = [stop for stop in stops if stop != count]
            state = iterator.state_dict()
            task = begin()
            iterator = train_iterator(task, state["epoch"], workers)
            iterator.load_state_dict(state)
        else:
            iterator = train_iterator(task, iterator.next_epoch_idx, workers, load=False)
    return read


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("name", list(TASKS))
def test_a_resumed_run_reads_what_one_never_stopped_reads(process, name, workers):
    """Stopped within epochs 1, 2 and 4, and at the end of epochs 1 and 3."""
    whole = batches_of(lambda: process(name), 4, workers, [])
    assert [len(whole[epoch]) for epoch in (1, 2, 3, 4)] == [len(whole[1])] * 4
    assert len({str(epoch) for epoch in whole.values()}) == 4, "every epoch has an order of its own"
    size = len(whole[1])
    for stops in ([size // 2, size + 1], [size, 2 * size - 1, 3 * size], [3 * size + size // 2]):
        assert batches_of(lambda: process(name), 4, workers, stops) == whole


def test_an_iterator_that_is_made_in_a_later_epoch(process):
    """Its batches are those of the first epoch; it is in the later one, and so are its data."""
    first, other, later = (
        train_iterator(process("masked_lm"), epoch, workers=0) for epoch in (1, 1, 3)
    )
    assert (first.epoch, later.epoch) == (1, 3)
    assert list(map(list, first.frozen_batches)) == list(map(list, later.frozen_batches))
    other.dataset.set_epoch(3)
    masked, expected, found = (
        [iterator.dataset[index]["net_input.src_tokens"].tolist() for index in range(9)]
        for iterator in (first, other, later)
    )
    assert found == expected != masked


@pytest.mark.parametrize("name", ["translation", "masked_lm"])
def test_every_example_is_read_once_in_every_epoch(process, name):
    read = batches_of(lambda: process(name), 3, 0, [4, 13, 15])
    for epoch in read.values():
        counts = Counter(number for ids, _, _ in epoch for number in ids)
        assert counts == Counter(range(300))


def test_noise_in_worker_processes_is_that_of_the_epoch(process):
    """They have copies of the data set, which are to hear of every new epoch."""
    alone, worker = (batches_of(lambda: process("masked_lm"), 3, count, []) for count in (0, 1))
    assert worker == alone
    first, second = ({str(ids): source for ids, source, _ in alone[epoch]} for epoch in (1, 2))
    assert any(first[ids] != second[ids] for ids in first), "masks differ from epoch to epoch"


def test_a_curriculum_ends(process):
    """``--curriculum 2``: by length in two epochs, shuffled then."""
    read = batches_of(lambda: process("translation"), 3, 0, [], curriculum=2)
    assert read[1] == read[2]
    assert read[3] != read[2]
    assert batches_of(lambda: process("translation"), 3, 0, [3, 25], curriculum=2) == read


def test_validation_that_is_left_early_begins_anew(process):
    """``--max-valid-steps``: a thread that still reads the rest must not take what comes next."""
    task = process("translation")
    task.load_dataset("valid")
    iterator = task.get_batch_iterator(
        task.dataset("valid"), max_sentences=1, num_workers=1, data_buffer_size=2
    )
    expected = [[number] for batch in iterator.frozen_batches for number in batch]
    for count in (1, 3, len(expected), len(expected)):
        batches = iterator.next_epoch_itr(shuffle=False, set_dataset_epoch=False)
        read = [next(batches)["id"].tolist() for _ in range(count)]
        assert read == expected[:count]


@pytest.mark.parametrize("name", list(TASKS))
def test_workers_end_with_their_epoch(process, name):
    """Not 5 s later, killed, when Python happens to find that nobody uses them any more."""
    before = set(multiprocessing.active_children())
    iterator = train_iterator(process(name), 1, workers=1)
    batches = iterator.next_epoch_itr()
    next(batches)
    (worker,) = set(multiprocessing.active_children()) - before
    for _ in batches:
        pass
    end = time.monotonic() + 4
    # Again, where the loader's own thread was told first that the worker has ended.
    while worker.exitcode is None and time.monotonic() < end:
        worker.join(timeout=0.1)
    assert worker.exitcode == 0
