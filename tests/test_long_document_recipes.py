"""Launch lines of the long-document recipes."""

import pytest
from conftest import ROOT, with_commands
from test_language_model_recipes import launch, settings

SCRIPT = ROOT / "examples/long_documents/train.sh"


@pytest.mark.parametrize("name", ["pretrain", "masked-lm", "sst2", "rte", "extractive-qa"])
def test_tasks_on_data(name):
    flags = settings(SCRIPT, name, "checkpoints/x", "--memory-tokens", "3", "--cpu")
    assert (flags["arch"], flags["memory_tokens"], flags["cpu"]) == ("gmat_roberta_tiny", 3, True)
    sizes = ("encoder_layers", "encoder_embed_dim", "encoder_attention_heads")
    assert [flags[size] for size in sizes] == [4, 128, 4], "so that one can load the other"
    assert flags["max_positions"] == (128 if name == "pretrain" else 2048)
    tasks = {"pretrain": "masked_lm", "masked-lm": "masked_lm", "extractive-qa": "extractive_qa"}
    assert flags["task"] == flags["criterion"] == tasks.get(name, "sentence_prediction")


def test_majority_tagging_runs_and_tells_the_bound(tmp_path):
    flags = (
        "--sequence-length 32 --chunk-size 8 --cpu --num-workers 0 --max-update 3 --valid-size 4 "
        "--no-save --log-format simple"
    )
    arguments = ["majority-tagging", str(tmp_path), *flags.split()]
    result = launch(SCRIPT, *arguments, **with_commands())
    assert result.returncode == 0, result.stderr
    assert "best_without_memory" in result.stdout + result.stderr


def test_unknown_task(tmp_path):
    result = launch(SCRIPT, "squad", str(tmp_path))
    assert result.returncode == 1
    assert (
        "train.sh: error: unknown task squad: use majority-tagging, pretrain, masked-lm"
        in result.stderr
    )
