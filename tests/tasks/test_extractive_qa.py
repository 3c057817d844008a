"""Extractive question answering through fairseq's commands, and its parts in memory."""

import json
import random
import re
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from conftest import ROOT, fail, succeed
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.tasks import FairseqTask
from omegaconf import OmegaConf

from fairseq_memtx.criterions.extractive_qa import ExtractiveQaCriterion
from fairseq_memtx.errors import MemtxError
from fairseq_memtx.tasks.extractive_qa import ExtractiveQaConfig
from fairseq_memtx.text.questions.metrics import squad_1_1

TASK = ["--user-dir", "fairseq_memtx", "--task", "extractive_qa"]
SIZES = ["--max-positions", "24", "--max-question-length", "6"]
COLOURS = ["red", "green", "blue"]
FILLING = [f"w{number}" for number in range(20)]


def squad(count: int, length: int, wrong: int = 0) -> dict:
    """Texts of words, one of which is a colour: that is asked for.

    The answers to the last ``wrong`` questions are said to be other words. The first answer is the
    last word of its text, so that it stands in the last window.
    """
    numbers = random.Random(count)
    paragraphs = []
    for question in range(count):
        words = numbers.choices(FILLING, k=length)
        words[numbers.randrange(length) if question else -1] = numbers.choice(COLOURS)
        context = " ".join(words)
        name = words[numbers.randrange(length)] if question >= count - wrong else None
        answer = name or next(word for word in words if word in COLOURS)
        start = re.search(rf"\b{answer}\b", context).start()
        qas = [
            {
                "id": f"q{question}",
                "question": "Which colour is it?",
                "answers": [{"text": answer, "answer_start": start}],
            }
        ]
        paragraphs.append({"context": context, "qas": qas})
    return {"data": [{"paragraphs": paragraphs}]}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """For training texts of 12 words, for validation of 40, and windows for 15 of them."""
    folder = tmp_path_factory.mktemp("corpus")
    for split, content in [("train", squad(300, 12)), ("valid", squad(11, 40, wrong=4))]:
        (folder / f"{split}.json").write_text(json.dumps(content))
    symbols = [*COLOURS, *FILLING, "Which", "colour", "is", "it", "?"]
    (folder / "dict.txt").write_text("".join(f"{symbol} 1\n" for symbol in symbols))
    return folder


def printed(output: str) -> tuple[float, float]:
    """``exact_match`` and ``f1`` of the last validation."""
    found = re.findall(r"valid on 'valid' subset.* exact_match (\S+) \| f1 (\S+)", output)
    return float(found[-1][0]), float(found[-1][1])


def scores(answers: dict[str, list[dict]], corpus: Path) -> tuple[float, float]:
    """The same, from an n-best file."""
    paragraphs = json.loads((corpus / "valid.json").read_text())["data"][0]["paragraphs"]
    golds = {qa["id"]: qa["answers"][0]["text"] for p in paragraphs for qa in p["qas"]}
    assert answers.keys() == golds.keys()
    each = [squad_1_1(answers[name][0]["text"], [gold]) for name, gold in golds.items()]
    return tuple(round(100 * sum(score) / len(each), 2) for score in zip(*each))


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory) -> tuple[Path, str]:
    """Folder and output of a training run of seconds."""
    folder = tmp_path_factory.mktemp("trained")
    output = succeed(
        "fairseq-train", corpus, *TASK, *SIZES, "--arch", "gmat_roberta_tiny", "--cpu",
        "--criterion", "extractive_qa", "--optimizer", "adam", "--lr", 3e-3, "--seed", 1,
        "--max-update", 40, "--batch-size", 16, "--num-workers", 0, "--log-format", "simple",
        "--no-epoch-checkpoints", "--save-dir", folder, "--n-best-file", folder / "best.json",
    )  # fmt: skip
    return folder, output


def test_a_model_learns_to_answer(corpus, trained):
    folder, output = trained
    answers = json.loads((folder / "best.json").read_text())
    assert printed(output) == scores(answers, corpus)
    # All that can be right are, among them one in a last window.
    assert printed(output)[0] == pytest.approx(700 / 11, abs=0.01)
    assert "11 questions, 0 of them without the answer in the context; 55 windows" in output
    paragraphs = json.loads((corpus / "valid.json").read_text())["data"][0]["paragraphs"]
    context = paragraphs[0]["context"]
    assert answers["q0"][0]["text"] == context.split()[-1] in COLOURS
    assert answers["q0"][0]["end"] == len(context)
    for name, best in answers.items():
        context = paragraphs[int(name[1:])]["context"]
        assert all(context[answer["start"] : answer["end"]] == answer["text"] for answer in best)
        assert len(best) == 20
        order = [answer["probability"] for answer in best]
        assert order == sorted(order, reverse=True)


def test_validation_says_the_same_whatever_its_batches(corpus, trained, tmp_path):
    """Here every batch has one question, and some could not have all of its windows."""
    folder, output = trained
    again = succeed(
        "fairseq-validate", corpus, *TASK, "--path", folder / "checkpoint_last.pt", "--cpu",
        "--max-tokens", 30, "--num-workers", 1, "--n-best", 2,
        "--n-best-file", tmp_path / "best.json",
    )  # fmt: skip
    assert printed(again) == printed(output)
    answers = json.loads((tmp_path / "best.json").read_text())
    before = json.loads((folder / "best.json").read_text())
    for name, best in answers.items():
        assert [answer["text"] for answer in best] == [a["text"] for a in before[name][:2]]


def test_malformed_questions_end_in_one_line(corpus, tmp_path):
    content = squad(3, 12)
    del content["data"][0]["paragraphs"][1]["qas"][0]["question"]
    (tmp_path / "valid.json").write_text(json.dumps(content))
    (tmp_path / "dict.txt").write_text((corpus / "dict.txt").read_text())
    line = fail(
        "fairseq-train", tmp_path, *TASK, "--arch", "gmat_roberta_tiny", "--cpu",
        "--criterion", "extractive_qa", "--max-tokens", 512, "--save-dir", tmp_path,
    )  # fmt: skip
    assert line == (
        f"fairseq-memtx: error: {tmp_path}/valid.json, 'data', article 1, 'paragraphs', "
        "paragraph 2, 'qas', question 1 (q1) has no 'question': add it"
    )


def configuration(corpus, *flags, arch="gmat_roberta_tiny", criterion="extractive_qa"):
    parser = options.get_training_parser()
    choice = ["--task", "extractive_qa", "--arch", arch, "--criterion", criterion]
    arguments = [str(corpus), *choice, *map(str, flags)]
    return convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, arguments))


def setup(corpus, *flags):
    return tasks.setup_task(configuration(corpus, *flags).task)


class Pointer(torch.nn.Module):
    """A model that gives the scores it was made with, ``B x L x 2``, to the head that is asked."""

    def __init__(self, scores) -> None:
        super().__init__()
        self.scores = torch.nn.Parameter(scores)

    def forward(self, src_tokens, src_lengths, features_only, token_head_name):
        assert (features_only, token_head_name) == (True, "span")
        return self.scores[: src_tokens.size(0), : src_tokens.size(1)], None


def first_batch(task, split="valid", count=2) -> dict:
    task.load_dataset(split)
    dataset = task.dataset(split)
    return dataset.collater([dataset[index] for index in range(count)])


def test_loss(corpus):
    """Mean of two cross entropies among the context and ``<s>``; nothing else is learned from."""
    task = setup(corpus, *SIZES)
    batch = first_batch(task)
    model = Pointer(torch.randn(10, 24, 2, generator=torch.Generator().manual_seed(1)))
    loss, rows, log = ExtractiveQaCriterion(task)(model, batch)
    expected = 0.0
    for row in range(10):
        for side, right in enumerate((batch["starts"][row], batch["ends"][row])):
            places = [0, *range(8, batch["net_input"]["src_lengths"][row] - 1)]
            choices = model.scores[row, places, side].log_softmax(dim=0)
            expected -= choices[places.index(right)].item() / 2
    assert rows == log["nsentences"] == log["sample_size"] == 10
    assert loss.item() == pytest.approx(expected)
    loss.backward()
    assert torch.equal(model.scores.grad.ne(0).any(dim=2), batch["allowed"])


def test_answers_of_whole_questions_alone_are_scored(corpus):
    """A batch of training has the same entries in its log, since fairseq adds logs of workers."""
    task = setup(corpus, *SIZES)
    criterion = ExtractiveQaCriterion(task)
    model = Pointer(torch.zeros(10, 24, 2))
    whole = first_batch(task)
    with torch.no_grad():
        for row, (start, end) in enumerate(zip(whole["starts"], whole["ends"])):
            model.scores[row, start, 0] = model.scores[row, end, 1] = 9 if start else 0
    log = task.valid_step(whole, model, criterion)[2]
    assert (log["questions"], log["exact_match"], log["f1"]) == (2, 2, 2)
    idle = task.valid_step(first_batch(task, "train"), model, criterion)[2]
    assert (idle["questions"], idle["exact_match"], idle["f1"]) == (0, 0, 0)
    assert idle.keys() == log.keys()


@pytest.mark.parametrize(("stride", "windows"), [(1, 26), (5, 6), (14, 3), (0, 5)])
def test_stride(corpus, stride, windows):
    task = setup(corpus, *SIZES, "--stride", stride)
    batch = first_batch(task, count=1)
    assert len(batch["starts"]) == windows
    assert batch["starts"][-1] == batch["ends"][-1] > 0  # the last word is an answer


def test_training_learns_from_what_can_be_learned(corpus, tmp_path, caplog):
    """Answers that the context does not have are left out there, and count in validation."""
    (tmp_path / "dict.txt").write_text((corpus / "dict.txt").read_text())
    base = {"question": "Which?", "context": [["It", ["It is red."]]], "supporting_facts": []}
    questions = [{**base, "id": "a", "answer": "red"}, {**base, "id": "b", "answer": "blue"}]
    for split, content in [("train", questions), ("valid", questions), ("train1", questions[1:])]:
        (tmp_path / f"{split}.json").write_text(json.dumps(content))
    task = setup(tmp_path)
    with caplog.at_level("INFO"):
        assert len(first_batch(task, "train", count=1)["starts"]) == len(task.dataset("train")) == 1
    assert "2 questions, 1 of them without the answer" in caplog.text
    batch = first_batch(task, "valid")
    assert batch["starts"].gt(0).tolist() == [True, False]
    with pytest.raises(MemtxError, match=r"no question of .*train1.json has its answer"):
        task.load_dataset("train1")


@pytest.fixture
def byte_pairs(tmp_path) -> list[str]:
    """Flags for GPT-2's byte pairs of three words."""
    pieces = [*map(chr, range(33, 127)), "Ġ", "ca", "cat", "Ġcat"]
    (tmp_path / "dict.txt").write_text("".join(f"{n} 1\n" for n in range(len(pieces))))
    (tmp_path / "encoder.json").write_text(json.dumps({p: n for n, p in enumerate(pieces)}))
    (tmp_path / "vocab.bpe").write_text("#version: 0.2\nc a\nca t\nĠ cat\n")
    files = [str(tmp_path / name) for name in ("encoder.json", "vocab.bpe")]
    return ["--bpe", "gpt2", "--gpt2-encoder-json", files[0], "--gpt2-vocab-bpe", files[1]]


def test_byte_pairs(byte_pairs, tmp_path):
    """From the command line, a checkpoint and hydra, whose task says nothing of them."""
    cfg = configuration(tmp_path, *byte_pairs)
    cfg.model = None
    saved = OmegaConf.create(OmegaConf.to_container(cfg, resolve=True, enum_to_str=True))
    hydra = OmegaConf.create({"task": {"_name": "extractive_qa", "data": str(tmp_path)}})
    hydra.bpe = cfg.bpe
    for task in (
        tasks.setup_task(cfg.task),
        tasks.setup_task(saved.task, from_checkpoint=True),
        tasks.setup_task(hydra.task),
    ):
        encoded = task.encode("cat cat,dog")
        pieces = [task.dictionary[piece] for piece in encoded.pieces]
        assert pieces == [str(n) for n in (96, 97, 11, 67, 78, 70)]
        assert encoded.starts.tolist() == [0, 4, 7, 8, 8, 8]


def test_byte_pairs_that_cannot_be_read(byte_pairs, tmp_path):
    (tmp_path / "vocab.bpe").unlink()
    with pytest.raises(MemtxError, match=r"--bpe cannot be used: file .*vocab.bpe not found"):
        setup(tmp_path, *byte_pairs)


def test_case_is_that_of_the_dictionary(tmp_path, caplog):
    """Of a model of lower-cased words, without any record of it."""
    question = squad(1, 8)
    question["data"][0]["paragraphs"][0]["context"] = "The CAT Sat on the Mat ."
    answer = {"text": "CAT", "answer_start": 4}
    question["data"][0]["paragraphs"][0]["qas"][0]["answers"] = [answer]
    (tmp_path / "train.json").write_text(json.dumps(question), encoding="utf-8-sig")
    (tmp_path / "dict.txt").write_text("the 1\ncat 1\nsat 1\non 1\nmat 1\n. 1\n")
    task = setup(tmp_path, *SIZES)
    assert task.encode("The CAT").pieces.tolist() == [4, 5]
    with caplog.at_level("INFO"):
        task.load_dataset("train")
    row = task.dataset("train")[0]["rows"][0].tolist()
    assert row[-8:] == [4, 5, 6, 7, 4, 8, 9, 2]
    (tmp_path / "dict.txt").write_text("The 1\ncat 1\n")
    task = setup(tmp_path, *SIZES)
    assert task.encode("The CAT").pieces.tolist() == [4, 3]
    task.load_dataset("train")
    assert "tokens of 'train' are unknown: is dict.txt that of the model" in caplog.text


def test_text_is_cut_as_the_folder_of_the_codes_was(corpus, tmp_path):
    """The model's data folder, in which ``--bpe-codes`` lies, says how."""
    (tmp_path / "bpecodes").write_text("#version: 0.2\nr e\nre d</w>\n")
    (tmp_path / "bpevocab").write_text("re@@ 1\nd 1\n")
    record = {"settings": {"unit": "pieces", "lowercase": True}}
    (tmp_path / "prepared.json").write_text(json.dumps(record))
    flags = ["--bpe", "subword_nmt", "--bpe-codes", tmp_path / "bpecodes"]
    task = setup(corpus, *SIZES, *flags)
    assert task.encode.lowercase
    assert task.encode._by_record("red") == "re@@ d"  # as "red" is no piece of that text
    record["settings"]["unit"] = "bytes"
    (tmp_path / "prepared.json").write_text(json.dumps(record))
    with pytest.raises(MemtxError, match="was cut into bytes, and answers are made of words"):
        setup(corpus, *SIZES, *flags)
    record["settings"]["unit"] = "words"
    (tmp_path / "prepared.json").write_text(json.dumps(record))
    with pytest.raises(MemtxError, match=r"--bpe subword_nmt is not how .* leave it out, as its w"):
        setup(corpus, *SIZES, *flags)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--n-best", 0], "--n-best 0 is too small"),
        (["--max-answer-length", 0], "--max-answer-length 0 is too small"),
        (["--max-question-length", 0], "--max-question-length 0 is too small"),
        (["--max-positions", 68], "--max-positions 68 leaves a context no room beside a question"),
        ([*SIZES, "--stride", 15], "--stride 15 would leave out text between windows of 14 tokens"),
        ([*SIZES, "--stride", -1], "--stride -1 would leave out"),
    ],
)
def test_lengths_that_do_not_fit(corpus, flags, says):
    with pytest.raises(MemtxError, match=says):
        setup(corpus, *flags)


def test_what_is_missing(corpus, tmp_path):
    with pytest.raises(MemtxError, match=r"there is no dictionary .*dict.txt: put the one"):
        setup(tmp_path)
    task = setup(corpus, "--n-best-file", corpus)
    with pytest.raises(MemtxError, match=r"test.json cannot be read"):
        setup(corpus).load_dataset("test")
    with pytest.raises(MemtxError, match=r"--n-best-file .* cannot be written"):
        task.load_dataset("valid")


def test_models_and_criterions_of_other_tasks(corpus):
    cfg = configuration(corpus, *SIZES, criterion="cross_entropy")
    with pytest.raises(MemtxError, match="--task extractive_qa needs --criterion extractive_qa"):
        tasks.setup_task(cfg.task).build_criterion(cfg.criterion)
    cfg = configuration(corpus, *SIZES, arch="roberta_base")
    cfg.model.encoder_layers = 1
    with pytest.raises(MemtxError, match="needs a model with heads for tokens, such as --arch"):
        tasks.setup_task(cfg.task).build_model(cfg.model)


def test_the_model_has_room_for_a_row(corpus):
    cfg = configuration(corpus, *SIZES)
    task = tasks.setup_task(cfg.task)
    cfg.model.max_positions = 9  # in hydra, task and model have fields of their own
    model = task.build_model(cfg.model).eval()
    tokens = torch.full((2, 24), 5)
    assert model(tokens, token_head_name="span")[0].shape == (2, 24, 2)
    assert model.max_positions() == task.max_positions() == 24
    # A model trained with fairseq's masked_lm on the same dictionary has <mask>, too.
    assert task.source_dictionary.index("<mask>") == len(task.source_dictionary) - 1


def test_workers_write_files_of_their_own(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    for rank, name in [(0, "best.json"), (2, "best.json.2")]:
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        task = setup(corpus, "--n-best-file", tmp_path / "best.json")
        assert task.answers_file.path == tmp_path / name


def test_hydra_has_the_same_defaults():
    folder = ROOT / "fairseq_memtx/config"
    of_yaml = OmegaConf.to_container(OmegaConf.load(folder / "task/extractive_qa.yaml"))
    of_flags = {**vars(ExtractiveQaConfig()), "_name": "extractive_qa"}
    del of_flags["bpe_settings"]  # fairseq fills it in
    assert of_yaml == of_flags
    criterion = OmegaConf.load(folder / "criterion/extractive_qa.yaml")
    task = Namespace(token_head_name="span", target_dictionary=None)
    assert isinstance(FairseqTask.build_criterion(task, criterion), ExtractiveQaCriterion)
