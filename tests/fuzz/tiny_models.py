"""Folders of binarised text of all tasks, and models of their words, as small as can be."""

import functools
import io
import tempfile
from pathlib import Path
from typing import Any

import torch
from fairseq import options, tasks
from fairseq.data import indexed_dataset
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import OmegaConf

LINES = "".join(f"w{number} {30 - number}\n" for number in range(20)).encode()


SENTENCES = [[4, 5, 6, 2], [7, 2], [8, 9, 10, 11, 23, 2], [2], [12, 13, 14, 2]]
LABELS = [[4 + number % 3, 2] for number in range(5)]


def binarised(folder: Path, impl: str, sentences: list[list[int]]) -> None:
    """Write a set as ``fairseq-preprocess`` does."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    builder = indexed_dataset.make_builder(f"{folder}.bin", impl, vocab_size=24)
    for sentence in sentences:
        builder.add_item(torch.IntTensor(sentence))
    builder.finalize(f"{folder}.idx")


@functools.cache
def whole_sets() -> dict[str, dict[str, bytes]]:
    """The files of a folder for each task."""
    with tempfile.TemporaryDirectory() as folder:
        return _written(Path(folder))


def _written(folder: Path) -> dict[str, dict[str, bytes]]:
    tagged = [[token, *sentence[1:]] for token, sentence in zip((4, 5, 6, 4, 5), SENTENCES)]
    tags = [[4 + token % 3 for token in sentence[:-1]] + [2] for sentence in tagged]
    tags[3] = [4, 2]
    for impl in ("mmap", "cached"):
        for side in ("src", "tgt"):
            binarised(folder / f"translation {impl}/train.src-tgt.{side}", impl, SENTENCES)
        binarised(folder / f"one text {impl}/train", impl, SENTENCES)
        binarised(folder / f"one text {impl}/train1", impl, SENTENCES[:2])
        for side, rows in (("input0", SENTENCES), ("label", LABELS)):
            binarised(folder / f"labels {impl}/{side}/train", impl, rows)
        binarised(folder / f"tags {impl}/input0/train", impl, [[4, 5, 6, 2], [7, 2]])
        binarised(folder / f"tags {impl}/label/train", impl, [[4, 5, 6, 2], [6, 2]])
    for path in folder.iterdir():
        kind = path.name.split()[0]
        for name in {
            "translation": ["dict.src.txt", "dict.tgt.txt"],
            "one": ["dict.txt"],
            "labels": ["input0/dict.txt", "label/dict.txt"],
            "tags": ["input0/dict.txt", "label/dict.txt"],
        }[kind]:
            labels = b"A 1\nB 1\nC 1\n"
            (path / name).write_bytes(labels if name.startswith("label") else LINES)
    return {
        path.name: {
            str(file.relative_to(path)): file.read_bytes()
            for file in path.rglob("*")
            if file.is_file()
        }
        for path in folder.iterdir()
    }


MODELS = {
    "translation": "--task translation -s src -t tgt --arch mem_transformer_tiny",
    "one text": "--task rmt_language_modeling --arch rmt_lm_tiny --tokens-per-sample 4 "
    "--batch-size 2",
    "masked": "--task masked_lm --arch gmat_roberta_tiny --criterion masked_lm "
    "--tokens-per-sample 8",
    "labels": "--task sentence_prediction --arch gmat_roberta_tiny --num-classes 3 --init-token 0 "
    "--criterion sentence_prediction --max-positions 20",
    "tags": "--task sequence_tagging --arch gmat_roberta_tiny --criterion sequence_tagging",
}

SMALL = dict.fromkeys(
    MODELS,
    "--encoder-embed-dim 8 --encoder-ffn-embed-dim 8 --encoder-layers 1 "
    "--encoder-attention-heads 2 --memory-tokens 2 --num-workers 0",
)
SMALL["translation"] += " --decoder-embed-dim 8 --decoder-ffn-embed-dim 8 --decoder-layers 1"
SMALL["one text"] = SMALL["one text"].replace("encoder", "decoder")

SETS = {"masked": "one text"}  # of a kind that reads those of another


def configuration(kind: str, folder: object = "data", *more: str) -> Any:
    """What a command line of a kind of model says."""
    flags = [str(folder), *MODELS[kind].split(), *SMALL[kind].split(), "--cpu", *more]
    flags += ["--required-batch-size-multiple", "1"]
    parser = options.get_training_parser()
    return convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, flags))


@functools.cache
def checkpoint(kind: str) -> bytes:
    """A checkpoint of an untrained model, as ``fairseq-train`` writes it."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in whole_sets()[f"{SETS.get(kind, kind)} mmap"].items():
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).write_bytes(content)
        cfg = configuration(kind, folder)
        model = tasks.setup_task(cfg.task).build_model(cfg.model)
    history = {"criterion_name": "", "optimizer_name": "", "lr_scheduler_state": {}}
    state: dict[str, Any] = {
        "args": None,
        "cfg": OmegaConf.to_container(cfg, resolve=True, enum_to_str=True),
        "model": model.state_dict(),
        "optimizer_history": [{**history, "num_updates": 0}],
        "task_state": {},
        "extra_state": {"train_iterator": {"epoch": 1, "iterations_in_epoch": 0}},
        "last_optimizer_state": None,
    }
    content = io.BytesIO()
    torch.save(state, content)
    return content.getvalue()
