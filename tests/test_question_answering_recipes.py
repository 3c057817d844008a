"""``examples/question_answering``: launch lines, and files of the official formats."""

import json
import shlex
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT
from fairseq import options
from question_files import hotpotqa, squad, write
from stand_ins import COUNT, preprocess, serve
from test_language_model_recipes import launch, settings

EXAMPLES = ROOT / "examples/question_answering"
SCRIPT = EXAMPLES / "train.sh"
DICTIONARY = '\nopen("../dict.txt", "w").close()\n'


def prepare(name, *arguments, examples=EXAMPLES, **environment):
    script = examples / f"prepare-{name}.sh"
    return launch(script, *map(str, arguments), PYTHON=sys.executable, **environment)


@pytest.fixture
def quick(tmp_path, monkeypatch) -> None:
    """Replace fairseq's program, slow to start."""
    monkeypatch.setenv("PYTHONPATH", preprocess(tmp_path, COUNT + DICTIONARY))


@pytest.mark.parametrize("version", ["1.1", "2.0"])
def test_squad(version, quick, tmp_path):
    raw = tmp_path / "raw"
    for name in ("train", "dev"):
        write(raw / f"{name}-v{version}.json", squad(version))
    made = tmp_path / "made"
    small = ("--held-out", 1, "--bpe-size", 90)
    result = prepare("squad", raw, made, *small, VERSION=version)
    assert result.returncode == 0, result.stderr
    assert (made / "test.json").read_bytes() == (raw / f"dev-v{version}.json").read_bytes()
    articles = [json.loads((made / f"{n}.json").read_text())["data"] for n in ("train", "valid")]
    assert [len(part) for part in articles] == [2, 1]


def test_hotpotqa(quick, tmp_path):
    for name in ("train_v1.1", "dev_distractor_v1"):
        write(tmp_path / f"raw/hotpot_{name}.json", hotpotqa())
    made = tmp_path / "made"
    result = prepare("hotpotqa", tmp_path / "raw", made, "--held-out", 1, "--bpe-size", 60)
    assert result.returncode == 0, result.stderr
    assert len(json.loads((made / "train.json").read_text())) == 2
    record = json.loads((made / "prepared.json").read_text())
    assert record["settings"] == {"held_out": 1, "bpe_size": 60, "lowercase": False}


def test_what_was_downloaded_is_counted(quick, tmp_path, monkeypatch):
    for folder in ("scripts", "examples"):
        shutil.copytree(ROOT / folder, tmp_path / "copy" / folder)
    (tmp_path / "copy/fairseq_memtx").symlink_to(ROOT / "fairseq_memtx")
    serve(tmp_path, monkeypatch)
    for name in ("train", "dev"):
        write(tmp_path / f"served/{name}-v1.1.json", squad())
    result = prepare("squad", examples=tmp_path / "copy/examples/question_answering")
    assert result.returncode == 1
    assert "train-v1.1.json has 6 questions, the official one has 87599" in result.stderr
    asked = (tmp_path / "served/log").read_text().splitlines()
    assert asked[0] == "https://rajpurkar.github.io/SQuAD-explorer/dataset/train-v1.1.json"


def test_an_unknown_version(tmp_path):
    assert "VERSION 3 is not known: use 1.1 or 2.0" in prepare("squad", VERSION="3").stderr


@pytest.mark.parametrize(
    ("task", "registered"), [("pretrain", "masked_lm"), ("answer", "extractive_qa")]
)
def test_tasks_on_data_have_one_size(task, registered):
    flags = settings(SCRIPT, task, "checkpoints/x", "--memory-tokens", "3", "--cpu")
    assert (flags["task"], flags["memory_tokens"], flags["max_positions"]) == (registered, 3, 2048)
    assert flags["data"].endswith("data-bin/squad-1.1")


def test_reading_is_learnt_in_two_steps():
    result = launch(SCRIPT, "reading", "checkpoints/x", "--memory-tokens", "0", PRINT_ONLY="1")
    assert result.returncode == 0, result.stderr
    whole, chunks = (
        vars(options.parse_args_and_arch(options.get_training_parser(), shlex.split(line)[1:]))
        for line in result.stdout.splitlines()
    )
    assert (whole["sparse_attention"], chunks["sparse_attention"]) == ("none", "chunked")
    assert chunks["finetune_from_model"] == f"{whole['save_dir']}/checkpoint_last.pt"
    assert whole["memory_tokens"] == chunks["memory_tokens"] == 0
    assert chunks["task"] == "reading"


def test_an_unknown_task():
    result = subprocess.run(["bash", SCRIPT, "squad", "x"], capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr == (
        "train.sh: error: unknown task squad: use pretrain, answer or reading\n"
    )
