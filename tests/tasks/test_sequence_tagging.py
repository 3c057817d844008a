"""Tagging of texts through fairseq's commands, its loss, and folders that are not in order."""

import math
import random
import re
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from conftest import ROOT, succeed, words
from fairseq import metrics, options, tasks
from fairseq.data import Dictionary
from fairseq.data.indexed_dataset import MMapIndexedDatasetBuilder
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import OmegaConf

from fairseq_memtx.criterions.sequence_tagging import SequenceTaggingCriterion
from fairseq_memtx.data.tagged_text import count_labels
from fairseq_memtx.errors import MemtxError

TEXT = ["one two", "three", "two two one"]
TAGS = ["ODD EVEN", "ODD", "EVEN EVEN ODD"]


def write(folder: Path, texts: list[str], tags: list[str], split: str = "train") -> Path:
    """A data folder as fairseq-preprocess would make it of these lines."""
    for side, lines, symbols in [
        ("input0", texts, "one two three"),
        ("label", tags, "ODD EVEN madeupword0000 madeupword0001"),
    ]:
        (folder / side).mkdir(exist_ok=True)
        dictionary = Dictionary()
        for symbol in symbols.split():
            dictionary.add_symbol(symbol)
        dictionary.save(str(folder / side / "dict.txt"))
        builder = MMapIndexedDatasetBuilder(str(folder / side / f"{split}.bin"))
        for line in lines:
            builder.add_item(dictionary.encode_line(line, add_if_not_exist=False))
        builder.finalize(str(folder / side / f"{split}.idx"))
    return folder


def configuration(data: Path, *flags: object):
    """Of a command line."""
    parser = options.get_training_parser()
    arguments = [data, "--task", "sequence_tagging", "--arch", "gmat_roberta_tiny", *flags]
    arguments = [str(argument) for argument in arguments]
    return convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, arguments))


def load(data: Path, *flags: object, split: str = "train"):
    """The task, with a set loaded."""
    task = tasks.setup_task(configuration(data, *flags).task)
    task.load_dataset(split)
    return task


def test_rows_and_targets(tmp_path):
    task = load(write(tmp_path, [*TEXT, ""], [*TAGS, ""]))
    dataset = task.dataset("train")
    batch = dataset.collater([dataset[index] for index in (0, 2, 3)])
    pad, odd, even = 1, 4, 5
    assert batch["net_input"]["src_tokens"].tolist() == [
        [0, 4, 5, 2, pad],
        [0, 5, 5, 4, 2],
        [0, 2, pad, pad, pad],
    ]
    assert batch["net_input"]["src_lengths"].tolist() == [4, 5, 2]
    assert batch["target"].tolist() == [
        [pad, odd, even, pad, pad],
        [pad, even, even, odd, pad],
        [pad] * 5,
    ]
    assert (batch["ntokens"], batch["nsentences"], batch["id"].tolist()) == (5, 3, [0, 2, 3])
    assert dataset.collater([]) == {}


def test_rows_of_one_length_come_together(tmp_path):
    lengths = [1, 3, 2, 1, 3, 2] * 4
    lines = [["one"] * length for length in lengths]
    data = write(
        tmp_path, [" ".join(line) for line in lines], ["ODD " * len(line) for line in lines]
    )
    dataset = load(data).dataset("train")
    order = dataset.ordered_indices()
    assert [dataset.size(index) for index in order] == sorted(length + 2 for length in lengths)
    assert set(order) == set(range(24))
    assert list(order) != list(dataset.ordered_indices()), "random otherwise"


def test_head_has_one_score_for_every_label(tmp_path):
    cfg = configuration(write(tmp_path, TEXT, TAGS), "--max-positions", 40)
    task = tasks.setup_task(cfg.task)
    model = task.build_model(cfg.model)
    assert model.max_positions() == 40
    assert model.token_heads["tags"](torch.zeros(1, 3, 64)).shape == (1, 3, 2)
    assert task.source_dictionary.index("<mask>") == 7, "as in fairseq's masked_lm"


def test_words_that_fill_up_are_no_labels():
    dictionary = words(3)
    assert count_labels(dictionary) == 3
    dictionary.finalize(padding_factor=8)
    assert len(dictionary) == 8
    assert count_labels(dictionary) == 3


@pytest.mark.parametrize(
    ("texts", "tags", "flags", "says"),
    [
        (TEXT, [*TAGS[:2], "EVEN ODD"], [], r"line 3 of 'train' has 3 tokens and 2 labels: give "),
        (TEXT, TAGS[:2], [], r"'train' has 3 lines in input0 and 2 in label: give every line its"),
        (TEXT, ["ODD EVEN", "FEW", TAGS[2]], [], r"line 2 of 'train' has a label that is not in"),
        (
            TEXT, TAGS, ["--max-positions", 4],
            r"line 3 of 'train' has 5 positions with <s> and </s>, more than --max-positions 4: ",
        ),
    ],
)  # fmt: skip
def test_lines_that_are_not_in_order(tmp_path, texts, tags, flags, says):
    with pytest.raises(MemtxError, match=says) as error:
        load(write(tmp_path, texts, tags), *flags)
    assert "\n" not in str(error.value)


def test_folders_that_are_not_whole(tmp_path):
    write(tmp_path, TEXT, TAGS)
    with pytest.raises(MemtxError, match=r"there is no .*input0/valid.bin: run fairseq-preprocess"):
        load(tmp_path, split="valid")
    labels = tmp_path / "label" / "train.bin"
    labels.write_bytes(labels.read_bytes()[:-8])
    with pytest.raises(MemtxError, match=r"label/train.bin is cut off at \d+ of \d+ bytes"):
        load(tmp_path)
    (tmp_path / "label" / "dict.txt").unlink()
    with pytest.raises(MemtxError, match=r"there is no dictionary .*label/dict.txt: run fairseq"):
        load(tmp_path)


@pytest.mark.parametrize("side", ["input0", "label"])
def test_a_mark_at_the_start_of_a_file_is_no_word(tmp_path, side):
    write(tmp_path, TEXT, TAGS)
    file = tmp_path / side / "dict.txt"
    first, rest = file.read_text().split("\n", 1)
    file.write_text(f"{first}\n\ufeff{rest}")
    with pytest.raises(MemtxError, match=rf"{side}/dict.txt has '\w+' with a byte order mark"):
        tasks.setup_task(configuration(tmp_path).task)


def test_a_text_that_is_hardly_known_is_told(tmp_path, caplog):
    load(write(tmp_path, TEXT, TAGS))
    assert "unknown" not in caplog.text
    load(write(tmp_path, [text.upper() for text in TEXT], TAGS))
    assert "100% of the tokens of 'train' are unknown: is dict.txt that of the" in caplog.text


def test_wrong_model_and_wrong_criterion(tmp_path):
    data = write(tmp_path, TEXT, TAGS)
    for arch in ("roberta", "gmat_roberta_tiny"):
        cfg = configuration(data, "--arch", arch, "--encoder-layers", 1, "--encoder-embed-dim", 24)
        task = tasks.setup_task(cfg.task)
        if arch == "roberta":
            with pytest.raises(MemtxError, match=r"--task sequence_tagging needs a model with hea"):
                task.build_model(cfg.model)
        with pytest.raises(MemtxError, match=r"sequence_tagging needs --criterion sequence_taggin"):
            task.build_criterion(cfg.criterion)


def measured(logs: list[dict]) -> dict[str, float]:
    """What is logged of these batches."""
    with metrics.aggregate(new_root=True) as found:
        SequenceTaggingCriterion.reduce_metrics(logs)
    return {name: float(meter.avg) for name, meter in found.items()}


def test_loss_and_accuracy_are_those_of_the_labels(tmp_path):
    task = load(write(tmp_path, [*TEXT, ""], [*TAGS, ""]))
    criterion = SequenceTaggingCriterion(task)
    dataset = task.dataset("train")
    scores = torch.randn(4, 5, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def step(*rows: int) -> tuple[torch.Tensor, int, dict]:
        batch = dataset.collater([dataset[row] for row in rows])

        def model(src_tokens, src_lengths, features_only, token_head_name):
            assert (features_only, token_head_name) == (True, "tags")
            return scores[list(rows), : src_tokens.size(1)], Namespace()

        return criterion(model, batch)

    loss, count, log = step(0, 1, 2, 3)
    labels = {0: [0, 1], 1: [0], 2: [1, 1, 0]}
    places = [(row, 1 + place) for row in labels for place in range(len(labels[row]))]
    wanted = [label for row in labels.values() for label in row]
    likelihoods = scores.log_softmax(-1)
    losses = [-likelihoods[place][label] for place, label in zip(places, wanted)]
    right = sum(scores[place].argmax().item() == label for place, label in zip(places, wanted))
    assert count == 6
    assert loss.item() == pytest.approx(sum(losses).item(), rel=1e-6)
    together = measured([log])
    assert together["loss"] == pytest.approx(sum(losses).item() / 6 / math.log(2), rel=1e-6)
    assert together["accuracy"] == pytest.approx(right / 6)
    apart = [step(0)[2], step(1, 2)[2], step(3)[2]]
    assert measured(apart) == pytest.approx(together)
    summed = {name: sum(log[name] for log in apart) for name in log}
    assert criterion.logging_outputs_can_be_summed()
    assert measured([summed]) == pytest.approx(together)
    assert measured([step(3)[2]]) == {}, "an empty line has nothing to be measured"


def test_a_toy_corpus_is_learned_in_seconds(tmp_path):
    """The tag of a word is its kind, and says whether the word w0 is anywhere in the line."""
    numbers = random.Random(1)
    for split, count in [("train", 600), ("valid", 40)]:
        with (
            open(tmp_path / f"{split}.text", "w") as texts,
            open(tmp_path / f"{split}.tags", "w") as tags,
        ):
            for _ in range(count):
                line = numbers.choices(range(8), k=numbers.randint(1, 9))
                texts.write(" ".join(f"w{word}" for word in line) + "\n")
                tags.write(" ".join(f"{word % 2}{0 in line}" for word in line) + "\n")
    for side, folder in [("text", "input0"), ("tags", "label")]:
        succeed(
            "fairseq-preprocess", "--only-source", "--trainpref", tmp_path / f"train.{side}",
            "--validpref", tmp_path / f"valid.{side}", "--destdir", tmp_path / "data" / folder,
        )  # fmt: skip
    plugin = ["--user-dir", "fairseq_memtx", "--task", "sequence_tagging", "--cpu"]
    output = succeed(
        "fairseq-train", tmp_path / "data", *plugin, "--arch", "gmat_roberta_tiny",
        "--criterion", "sequence_tagging", "--max-positions", 16, "--dropout", 0,
        "--batch-size", 32, "--optimizer", "adam", "--lr", 2e-3, "--num-workers", 0,
        "--log-format", "simple", "--max-update", 180, "--save-dir", tmp_path / "model",
        "--validate-interval", 99, "--save-interval", 99, "--no-epoch-checkpoints",
    )  # fmt: skip
    (accuracy,) = re.findall(r"valid on 'valid' subset.* accuracy (\S+)", output)
    assert float(accuracy) > 0.95
    path = ["--path", tmp_path / "model" / "checkpoint_last.pt", "--batch-size", 7]
    output = succeed("fairseq-validate", tmp_path / "data", *plugin, *path)
    assert f"accuracy {accuracy}" in output


def test_yaml_has_the_defaults_of_the_flags(tmp_path):
    settings = OmegaConf.load(ROOT / "fairseq_memtx/config/task/sequence_tagging.yaml")
    by_flags = configuration(write(tmp_path, TEXT, TAGS)).task
    assert set(settings) == set(by_flags) == {"_name", "data", "max_positions"}
    assert settings.max_positions == by_flags.max_positions == 512
    assert settings._name == by_flags._name
