"""Launch lines of the language models and of the algorithms."""

import os
import shlex
import subprocess

import pytest
from conftest import ROOT
from fairseq import options

LANGUAGE_MODELS = ROOT / "examples/language_model/train.sh"
ALGORITHMS = ROOT / "examples/algorithmic/train.sh"
DATASETS = ["enwiki", "shakespeare", "wikitext2", "wikitext103", "enwik8"]
NAMES = ["copy", "reverse", "associative-retrieval", "quadratic-equations"]


def launch(script, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", script, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def settings(script, *arguments: str) -> dict:
    """What fairseq understands of the printed line."""
    result = launch(script, *arguments, PRINT_ONLY="1")
    assert result.returncode == 0, result.stderr
    flags = shlex.split(result.stdout)[1:]
    return vars(options.parse_args_and_arch(options.get_training_parser(), flags))


@pytest.mark.parametrize("dataset", DATASETS)
def test_models_differ_in_memory_alone(dataset):
    models = {
        name: settings(LANGUAGE_MODELS, dataset, name, "checkpoints/x", "--seed", "7")
        for name in ("transformer", "transformer-xl", "rmt", "both")
    }
    plain = models["transformer"]
    assert plain["seed"] == 7
    differences = {
        name: {key for key in model if model[key] != plain.get(key)}
        for name, model in models.items()
    }
    window = {"window_segments", "stride_segments"}
    assert differences == {
        "transformer": set(),
        "transformer-xl": {"cache_length"},
        "rmt": {"memory_tokens", *window},
        "both": {"memory_tokens", "cache_length", *window},
    }


@pytest.mark.parametrize("name", NAMES)
def test_algorithms(name):
    flags = settings(ALGORITHMS, name, "checkpoints/x", "--memory-tokens", "3")
    assert (flags["task"], flags["algorithm"]) == ("algorithmic_sequences", name)
    assert flags["memory_tokens"] == 3
    assert flags["decoder_embed_dim"] % flags["decoder_attention_heads"] == 0


@pytest.mark.parametrize(
    ("script", "arguments", "says"),
    [
        (LANGUAGE_MODELS, ["enwiki", "rmt"], "usage: train.sh DATASET MODEL SAVE_DIR"),
        (LANGUAGE_MODELS, ["brown", "rmt", "x"], "unknown dataset brown"),
        (LANGUAGE_MODELS, ["enwiki", "lstm", "x"], "unknown model lstm"),
        (ALGORITHMS, ["copy"], "usage: train.sh ALGORITHM SAVE_DIR"),
        (ALGORITHMS, ["sort", "x"], "unknown algorithm sort"),
    ],
)
def test_wrong_arguments(script, arguments, says):
    result = launch(script, *arguments)
    assert result.returncode == 1
    assert says in result.stderr
    assert result.stdout == ""
