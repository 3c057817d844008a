"""The recipes: every YAML, every launch line, and the scoring."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, succeed, with_commands
from fairseq import options
from fairseq.dataclass.configs import FairseqConfig
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import OmegaConf

RECIPES = ROOT / "examples/translation"
CONFIGS = sorted((RECIPES / "config").glob("*.yaml"))
DATASETS = {"multi30k": 6, "iwslt14": 2, "wmt14": 6}


def printed(dataset: str, model: str, *flags: str) -> list[str]:
    """The command that ``train.sh`` would run."""
    line = subprocess.run(
        ["bash", RECIPES / "train.sh", dataset, model, "checkpoints/x", *flags],
        env={**os.environ, "PRINT_ONLY": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return shlex.split(line.stdout)


def test_there_is_a_yaml_for_every_recipe():
    for dataset, count in DATASETS.items():
        assert len([path for path in CONFIGS if path.stem.startswith(dataset)]) == count
    assert len(CONFIGS) == sum(DATASETS.values())


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_yaml_is_the_launch_line(path):
    """What a recipe's YAML sets is what ``train.sh`` sets, and names exist in fairseq."""
    dataset, _, model = path.stem.partition("-")
    command = printed(dataset, model)
    shared = OmegaConf.load(RECIPES / "config/shared/files.yaml")
    recipe = OmegaConf.merge(shared, OmegaConf.load(path))
    assert recipe.defaults == ["_self_", "shared/files@_global_"]
    args = options.parse_args_and_arch(options.get_training_parser(), command[1:])
    by_flags = convert_namespace_to_omegaconf(args)
    for group in ("common", "dataset", "optimization", "checkpoint"):
        OmegaConf.merge(OmegaConf.structured(FairseqConfig)[group], recipe[group])

    assert recipe.model.pop("_name") == args.arch
    for name, value in recipe.model.items():
        assert getattr(args, name) == value, name
    for group in ("criterion", "optimizer", "lr_scheduler", "optimization", "dataset"):
        for name, value in recipe[group].items():
            assert by_flags[group][name] == value, (group, name)
    assert by_flags.task._name == recipe.task.pop("_name")
    assert (args.source_lang, args.target_lang) == (
        recipe.task.source_lang, recipe.task.target_lang,
    )  # fmt: skip
    for name in ("no_epoch_checkpoints", "keep_last_epochs"):
        default = -1 if name == "keep_last_epochs" else False
        assert by_flags.checkpoint[name] == recipe.checkpoint.get(name, default)
    raw = path.read_text(encoding="utf-8")
    assert f"--config-name {path.stem}\n" in raw
    assert f"train.sh {dataset} {model} checkpoints/{path.stem}\n" in raw


@pytest.mark.parametrize("dataset", ["multi30k", "iwslt14", "wmt14"])
def test_baseline_has_the_sizes_of_the_memory_transformer(dataset):
    """What is compared differs in memory alone."""

    def sizes(command: list[str]) -> dict:
        args = options.parse_args_and_arch(options.get_training_parser(), command[1:])
        return {k: v for k, v in vars(args).items() if k not in {"arch", "user_dir"}}

    ours, theirs = sizes(printed(dataset, "tokens")), sizes(printed(dataset, "baseline"))
    off = {"inspect_interval": 0, "decoder_reads_memory_alone": False}  # flags of ours alone
    different = {name for name in ours if ours[name] != theirs.get(name, off.get(name))}
    assert different == {"memory_tokens", "memory_variant"}


def test_last_flags_win():
    assert printed("multi30k", "controller", "--memory-tokens", "20")[-2:] == [
        "--memory-tokens",
        "20",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["multi31k", "tokens", "x"], "unknown dataset multi31k: use multi30k, iwslt14 or wmt14"),
        (["multi30k", "tokns", "x"], "unknown model tokns: use baseline"),
        (["multi30k"], "usage: train.sh DATASET MODEL SAVE_DIR"),
    ],
)
def test_wrong_recipe(arguments, says):
    result = subprocess.run(
        ["bash", RECIPES / "train.sh", *arguments], capture_output=True, text=True
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert says in result.stderr


@pytest.fixture(scope="module")
def prepared(toy_text, tmp_path_factory) -> Path:
    """The toy corpus, prepared as the recipes prepare theirs."""
    folder = tmp_path_factory.mktemp("recipe") / "data bin"
    sets = [f"--{split}={toy_text / split}" for split in ("train", "valid", "test")]
    for path in toy_text.glob("*.src"):  # languages that sacremoses knows
        path.with_suffix(".de").write_text(path.read_text())
        path.with_suffix(".en").write_text(path.with_suffix(".tgt").read_text())
    succeed(
        "fairseq-memtx", "prepare", "translation", "--source", "de", "--target", "en",
        *sets, "--bpe-size", 60, "--dest", folder,
    )  # fmt: skip
    return folder


def test_train_and_score(prepared, tmp_path):
    """``train.sh`` and ``score.sh`` as a user runs them, in seconds."""
    environment = {**with_commands(), "DATA": str(prepared)}
    flags = [
        "--max-update",
        "3",
        "--encoder-embed-dim",
        "32",
        "--decoder-embed-dim",
        "32",
        "--num-workers",
        "0",
    ]
    checkpoint = tmp_path / "my model" / "checkpoint_best.pt"
    subprocess.run(
        ["bash", RECIPES / "train.sh", "multi30k", "tokens", checkpoint.parent, *flags],
        env=environment, check=True, capture_output=True, cwd=tmp_path,
    )  # fmt: skip
    score = subprocess.run(
        ["bash", RECIPES / "score.sh", prepared, checkpoint, "--max-len-b", "5"],
        env=environment, capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert score.returncode == 0, score.stderr[-2000:]
    assert re.search(r"^\s*BLEU\|nrefs:1\|case:mixed\|eff:no\|tok:13a\S+ = [\d.]+", score.stdout)
    translations = Path(f"{checkpoint}.test.txt").read_text().splitlines()
    # Twelve, which is no multiple of eight: none may be left out.
    assert len(translations) == len((prepared / "raw/test.en").read_text().splitlines()) == 12


def test_hydra_recipe_trains(prepared, tmp_path):
    """One YAML through ``fairseq-hydra-train``; the others differ in values alone."""
    succeed(
        "fairseq-hydra-train", "--config-dir", "examples/translation/config", "--config-name",
        "multi30k-shared-controller", f"task.data='{prepared}'", "optimization.max_update=2",
        f"checkpoint.save_dir='{tmp_path}/ck'", f"hydra.run.dir='{tmp_path}/run'",
        "dataset.num_workers=0", "common.cpu=true",
    )  # fmt: skip
    assert (tmp_path / "ck/checkpoint_last.pt").exists()


def test_score_of_what_is_not_there(prepared, tmp_path):
    for arguments, says in [
        ([prepared, tmp_path / "no.pt"], "there is no checkpoint"),
        ([tmp_path, tmp_path / "no.pt"], "is not a prepared folder"),
    ]:
        result = subprocess.run(
            ["bash", RECIPES / "score.sh", *arguments],
            env=with_commands(), capture_output=True, text=True,
        )  # fmt: skip
        assert result.returncode == 1
        assert says in result.stderr
