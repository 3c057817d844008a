"""Generated documents with a question in front, through fairseq's commands."""

import json
import re

import pytest
import torch
from conftest import ROOT, succeed
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import OmegaConf

from fairseq_memtx.criterions.extractive_qa import ExtractiveQaCriterion
from fairseq_memtx.errors import MemtxError

PLUGIN = ["--user-dir", "fairseq_memtx", "--cpu", "--task", "reading"]
SIZES = ["--sequence-length", 30, "--distance", 8, "--facts", 3, "--names", 4, "--places", 2]
FEW = ["--train-size", 50, "--valid-size", 50, "--test-size", 50]


def setup(*flags: object):
    """Task and model of a command line."""
    parser = options.get_training_parser()
    choice = ["--task", "reading", "--arch", "gmat_roberta_tiny", *map(str, flags)]
    cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, choice))
    task = tasks.setup_task(cfg.task)
    return task, task.build_model(cfg.model)


def test_the_bound_is_told_where_there_are_chunks_and_by_their_length():
    assert setup(*SIZES, "--chunk-size", 8)[0].best_without_memory == pytest.approx(1 / 3)
    assert setup(*SIZES, "--chunk-size", 64)[0].best_without_memory == pytest.approx(1)
    assert setup(*SIZES, "--sparse-attention", "none")[0].best_without_memory is None


def test_training_draws_new_documents_and_never_those_of_validation():
    task, _ = setup(*SIZES, *FEW)
    texts = {}
    for split, epoch in [("train", 1), ("train", 2), ("valid", 1), ("valid", 2), ("test", 1)]:
        task.load_dataset(split, epoch=epoch)
        dataset = task.dataset(split)
        texts[split, epoch] = {dataset[i]["question"].question.context for i in range(50)}
    assert texts["valid", 1] == texts["valid", 2]
    distinct = [texts[place] for place in texts if place != ("valid", 2)]
    assert len(set.union(*distinct)) == 50 * len(distinct)
    assert task.has_sharded_data("train"), "fairseq loads it anew for every epoch"


def test_accuracy_counts_whole_facts():
    """A model that knows all but one of four answers, and points at its first word alone there."""
    task, _ = setup(*SIZES, "--valid-size", 4)
    task.load_dataset("valid")
    dataset = task.dataset("valid")
    batch = dataset.collater([dataset[index] for index in range(4)])
    log_probabilities = torch.full((2, *batch["allowed"].shape), -20.0)
    for row, (start, end) in enumerate(zip(batch["starts"], batch["ends"])):
        log_probabilities[0, row, start] = log_probabilities[1, row, end] = -0.1
    log_probabilities[1, 0] = -20.0
    log_probabilities[1, 0, batch["starts"][0]] = -0.1
    task._answer(batch["questions"], log_probabilities)
    assert task._answer(batch["questions"], log_probabilities)["exact_match"] == 3


def test_what_no_chunk_sees_stays_unknown_without_memory():
    """Scores of facts are the same to the last bit whatever is asked, but not with memory."""
    for memory, same in [(0, True), (4, False)]:
        task, model = setup(*SIZES, *FEW, "--chunk-size", 8, "--memory-tokens", memory)
        task.load_dataset("valid")
        dataset = task.dataset("valid")
        batch = dataset.collater([dataset[0], dataset[0]])
        other = batch["net_input"]["src_tokens"]
        other[1, 3] = next(
            symbol for name in task.teller.people
            if (symbol := task.dictionary.index(name)) != other[0, 3]
        )  # fmt: skip
        criterion, model = ExtractiveQaCriterion(task), model.eval()
        with torch.no_grad():
            scores = model(**batch["net_input"], features_only=True, token_head_name="span")[0]
        far = scores[:, 14:]  # the first fact is behind eight words of noise
        assert torch.equal(far[0], far[1]) is same
        assert criterion.only_with


@pytest.mark.training
def test_accuracy_stands_beside_chance_and_the_bound(tmp_path):
    output = succeed(
        "fairseq-train", *PLUGIN, *SIZES, "--arch", "gmat_roberta_tiny", "--chunk-size", 8,
        "--criterion", "extractive_qa", "--batch-size", 8, "--optimizer", "adam", "--lr", 1e-3,
        "--num-workers", 0, "--log-format", "simple", "--max-update", 3, "--train-size", 16,
        "--valid-size", 12, "--save-dir", tmp_path,
    )  # fmt: skip
    beside = r"best_without_memory 0.3333 \| accuracy (\S+) \| chance 0.3333\b"
    assert re.search(rf"INFO \| valid \|.*{beside}", output)
    for row in re.findall(r"INFO \| train(?:_inner)? \|.*", output):
        assert "best_without_memory" not in row
    again = succeed(
        "fairseq-validate", *PLUGIN, *SIZES, "--path", tmp_path / "checkpoint_last.pt",
        "--batch-size", 5, "--num-workers", 0, "--valid-subset", "test", "--test-size", 12,
        "--n-best-file", tmp_path / "best.json", "--distance", 0,
    )  # fmt: skip
    bound = re.search(r"best_without_memory (\S+) \| accuracy \S+ \| chance 0.3333", again)
    assert float(bound[1]) > 0.34, "some facts are in the chunk of the question now"
    assert len(json.loads((tmp_path / "best.json").read_text())) == 12


def learnt(folder, *flags: object) -> tuple[float, float]:
    """The last accuracy of a training of the default size, and the bound beside it."""
    output = succeed(
        "fairseq-train", *PLUGIN, "--arch", "gmat_roberta_tiny", "--encoder-layers", 3,
        "--encoder-ffn-embed-dim", 256, "--encoder-attention-heads", 4, "--dropout", 0,
        "--attention-dropout", 0, "--criterion", "extractive_qa", "--batch-size", 32,
        "--train-size", 6400, "--valid-size", 400, "--optimizer", "adam",
        "--adam-betas", "(0.9, 0.98)", "--clip-norm", 1, "--lr-scheduler", "inverse_sqrt",
        "--warmup-updates", 50, "--validate-interval", 99, "--required-batch-size-multiple", 1,
        "--num-workers", 0, "--log-format", "simple", "--save-dir", folder, *flags,
    )  # fmt: skip
    rows = [row for row in output.splitlines() if "| valid |" in row]
    accuracy = float(re.search(r"\| accuracy (\S+)", rows[-1])[1])
    bound = re.search(r"\| best_without_memory (\S+)", rows[-1])
    return accuracy, float(bound[1]) if bound else 1.0


@pytest.mark.training
def test_memory_alone_carries_the_question_to_the_facts(tmp_path):
    """The two steps of ``examples/question_answering/train.sh reading``, shorter."""
    whole = ["--sparse-attention", "none", "--lr", 2e-3, "--max-update", 150]
    assert learnt(tmp_path / "whole", *whole)[0] > 0.95
    chunks = ["--chunk-size", 8, "--lr", 3e-4, "--max-update", 60]
    chunks += ["--finetune-from-model", tmp_path / "whole/checkpoint_last.pt"]
    accuracy, bound = learnt(tmp_path / "8", *chunks, "--memory-tokens", 8)
    assert (bound, accuracy) == (0.5, pytest.approx(1, abs=0.1))
    accuracy, bound = learnt(tmp_path / "0", *chunks, "--memory-tokens", 0)
    assert accuracy < bound + 4 * (bound * (1 - bound) / 400) ** 0.5, "four standard deviations"


def test_flags_that_make_no_sense():
    with pytest.raises(MemtxError, match=r"--max-positions 20 is too small: a row has 37 positio"):
        setup(*SIZES, "--max-positions", 20)
    with pytest.raises(MemtxError, match=r"--facts 3 behind --distance 20 need 4 words each"):
        setup(*SIZES, "--distance", 20)


def test_yaml_has_the_defaults_of_the_flags():
    settings = OmegaConf.load(ROOT / "fairseq_memtx/config/task/reading.yaml")
    by_flags = OmegaConf.to_container(setup()[0].cfg)
    assert settings.pop("_name") == "reading"
    assert {name: by_flags[name] for name in settings} == settings
    assert set(by_flags) - set(settings) <= {"_name", "seed"}
