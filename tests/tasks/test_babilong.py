"""bAbI's stories between the sentences of a book, through the task and through fairseq-train."""

import random
import re
from itertools import chain, compress

import pytest
from conftest import fail, succeed
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

from fairseq_memtx.errors import MemtxError

PEOPLE = ["Mary", "John", "Sandra", "Daniel"]
PLACES = ["bathroom", "bedroom", "garden", "hallway", "kitchen", "office"]
# Sentences of 4 to 8 words, no two of which are alike for long.
BOOK = [" ".join([f"n{k * k % 11}"] * (3 + k % 5)) + " end." for k in range(600)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A book, and qa1 in the official format: ten sentences and five questions a story."""
    folder = tmp_path_factory.mktemp("data")
    numbers = random.Random(1)
    for part, stories in [("train", 60), ("test", 10)]:
        lines = []
        for _ in range(stories):
            where = {}
            for number in range(1, 16):
                if number % 3:
                    person, place = numbers.choice(PEOPLE), numbers.choice(PLACES)
                    where[person] = (place, number)
                    lines.append(f"{number} {person} went back to the {place}.\n")
                else:
                    person = numbers.choice([*where])
                    lines.append(f"{number} Where is {person}? \t{where[person][0]}\t1\n")
        file = folder / f"qa1_single-supporting-fact_{part}.txt"
        file.write_text("".join(lines))
    (folder / "book.txt").write_text("\n".join(BOOK) + "\n")
    return folder


def flags(data) -> list[str]:
    return [
        "--task", "facts_in_noise", "--babi", f"{data}", "--babi-task", "qa1",
        "--noise", f"{data}/book.txt", "--segments", "5", "--tokens-per-sample", "32",
    ]  # fmt: skip


def task_of(*flags: str):
    parser = options.get_training_parser()
    arguments = options.parse_args_and_arch(parser, [*flags, "--arch", "rmt_lm_tiny"])
    return tasks.setup_task(convert_namespace_to_omegaconf(arguments).task)


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_a_row_is_a_story_between_sentences_of_a_book(data, split):
    task = task_of(*flags(data))
    task.load_dataset(split)
    told = {
        " ".join(chain(*story.sentences, story.question)): story
        for story in task.teller.stories[split]
    }
    tenths = {"train": (0, 8), "valid": (8, 9), "test": (9, 10)}[split]
    book = " ".join(BOOK[slice(*(tenth * len(BOOK) // 10 for tenth in tenths))] * 2)
    begins = set()
    for index in range(60):
        item = task.dataset(split)[index]
        assert len(item["source"]) % 32 == 0
        words = [task.dictionary[symbol] for symbol in item["source"]]
        own = [re.fullmatch(r"n\d+|end\.", word) is None for word in words]
        story = told[" ".join(compress(words, own))]
        (answer,) = [symbol for symbol in item["target"] if symbol != task.dictionary.pad()]
        assert task.dictionary[answer] == story.answer
        assert words[-len(story.question) :] == story.question
        # Without the story there is a passage of the book, none of whose sentences was cut by it.
        marks = ["|" if mine else word for word, mine in zip(words, own)]
        passage = " ".join(word for word in marks if word != "|")
        assert f"end. {passage}" in f"end. {book}"
        asked = len(marks) - len(story.question)
        before = {one for one, two in zip(marks[:asked], marks[1:asked]) if two == "|"}
        assert before <= {"|", "end."}
        begins.update(place for place, word in enumerate(words) if word in PEOPLE)
    assert len(begins) > 50


@pytest.mark.training
def test_training_and_a_curve_over_lengths(data, tmp_path):
    """With fairseq's commands: 10 stories of another file, over rows of 160 and 640 tokens."""
    train = [
        "fairseq-train", "--user-dir", "fairseq_memtx", *flags(data), "--cpu",
        "--arch", "rmt_lm_tiny", "--criterion", "cross_entropy", "--optimizer", "adam",
        "--lr", 1e-3, "--batch-size", 8,
        "--train-size", 32, "--valid-size", 16, "--max-update", 4, "--num-workers", 0,
        "--log-format", "simple", "--no-epoch-checkpoints", "--save-dir", tmp_path,
    ]  # fmt: skip
    log = succeed(*train)
    (row,) = re.findall(r"valid on 'valid' .* accuracy (\S+) \| chance (\S+)", log)
    accuracy, chance = map(float, row)
    assert 0 <= accuracy <= 1
    assert 1 / 6 < chance < 1 / 3
    table = succeed(
        "fairseq-validate", "--user-dir", "fairseq_memtx", *flags(data), "--cpu", "--batch-size", 4,
        "--path", tmp_path / "checkpoint_last.pt", "--valid-subset", "test", "--test-size", 8,
        "--length-curve", "5,20", "--num-workers", 0,
    )  # fmt: skip
    assert re.findall(r"^ +(\d+) +(\d+) +[01]\.\d+ +8 ", table, re.MULTILINE) == [
        ("5", "160"),
        ("20", "640"),
    ]


def test_flags_that_mean_nothing_beside_each_other(data):
    plugin = ["fairseq-train", "--user-dir", "fairseq_memtx", "--arch", "rmt_lm_tiny"]
    plugin += ["--batch-size", 8]
    assert "--names" in fail(*plugin, *flags(data), "--names", 8)
    task = ["--task", "facts_in_noise"]
    assert "--babi-task" in fail(*plugin, *task, "--babi-task", "qa2")
    assert "has no file qa1_*train.txt" in fail(*plugin, *task, "--babi", data / "no")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--asked", "2"], "--asked 2 would have no effect: --babi has its own"),
        (["--segment-curriculum", "2x2:0.9,5"], "2x2:0.9,5 says how many facts, and --babi has"),
    ],
)
def test_stories_of_babi_are_taken_as_they_are(data, more, says):
    with pytest.raises(MemtxError, match=says):
        task_of(*flags(data), *more)
