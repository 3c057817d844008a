"""Faults in text, folders of data and their flags."""

import json
import struct
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import torch
from fairseq import options, utils
from fairseq.data import Dictionary, ListDataset, TokenBlockDataset, data_utils, encoders
from fairseq.data import indexed_dataset as sets
from fairseq.data.fasta_dataset import FastaDataset
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.tasks import FairseqTask
from fairseq.tasks.masked_lm import MaskedLMConfig, MaskedLMTask
from fairseq.tasks.sentence_prediction import SentencePredictionConfig, SentencePredictionTask
from fairseq_cli import interactive
from omegaconf import OmegaConf


def refused(function: Callable, *arguments: object) -> bool:
    """Whether one of our lines comes of it, rather than a result or an error of fairseq."""
    try:
        function(*arguments)
    except Exception as error:
        return type(error).__name__ == "MemtxError"
    return False


def write(prefix: Path, rows: list[list[int]]) -> None:
    builder = sets.make_builder(f"{prefix}.bin", "mmap", 20)
    for row in rows:
        builder.add_item(torch.tensor([*row, 2]))
    builder.finalize(f"{prefix}.idx")


def dictionary(folder: Path, count: int = 9) -> Dictionary:
    made = Dictionary()
    for index in range(count):
        made.add_symbol(f"w{index}")
    made.save(str(folder / "dict.txt"))
    return made


def batch_buckets(folder: Path) -> bool:
    try:
        data_utils.get_buckets(np.arange(4), 2)
    except TypeError:
        return True
    return False


def binarised_data(folder: Path) -> bool:
    write(folder / "train", [[4, 5], [6]])
    (folder / "train.bin").write_bytes(struct.pack("<5H", 4, 5, 2, 9999, 2))
    words = dictionary(folder)
    return not refused(data_utils.load_indexed_dataset, str(folder / "train"), words)


def data_folders(folder: Path) -> bool:
    return not refused(data_utils.infer_language_pair, str(folder))


def dictionaries(folder: Path) -> bool:
    (folder / "dict.txt").write_text("\ufeffa 1\nb 1\n", encoding="utf-8")
    return "a" not in Dictionary.load(str(folder / "dict.txt")).symbols


def encoders_without_flags(folder: Path) -> bool:
    parser = options.get_interactive_generation_parser("language_modeling")
    flags = ["none", "--task", "language_modeling", "--path", "none", "--bpe", "characters"]
    try:
        convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, flags))
    except Exception as error:
        return type(error).__name__ == "MissingConfigException"
    return False


def fasta_paths(folder: Path) -> bool:
    lines: list[str] = []
    run = mock.patch("subprocess.check_output", lambda line, **_: lines.append(line))
    with run, mock.patch("numpy.fromstring"):
        FastaDataset._build_index(object.__new__(FastaDataset), "a;touch canary")
    return "cat a;touch canary" in lines[0]


def literals(folder: Path) -> bool:
    return not refused(utils.eval_str_list, "[abs(-1)]")


def masked_rows(folder: Path) -> bool:
    task = masked_lm(folder)
    task.load_dataset("train")
    rows = task.dataset("train")
    return max(rows.size(index) for index in range(len(rows))) > 6


def masked_lm(folder: Path) -> MaskedLMTask:
    words = dictionary(folder)
    write(folder / "train", [[4] * 9, [5, 6]])
    task = MaskedLMConfig(data=str(folder), tokens_per_sample=6, shorten_method="truncate")
    run = OmegaConf.create({"task": OmegaConf.structured(task), "bpe": {"_name": None}})
    run.task.seed, run.task.sample_break_mode = 1, "complete"
    return MaskedLMTask(run.task, words)


def numpy_long(folder: Path) -> bool:
    rows = [torch.tensor([4, 2]), torch.tensor([5, 6, 2])]
    try:
        TokenBlockDataset(ListDataset(rows), np.array([2, 3]), None, 1, 2, break_mode="eos")
    except AttributeError:
        return True
    return False


def output_flags(folder: Path) -> bool:
    return not refused(FairseqTask(None).build_generator, [], Namespace(replace_unk="@@ "))


def piece_files(folder: Path) -> bool:
    (folder / "encoder.json").write_text('{"a": "1"}')
    (folder / "vocab.bpe").write_text("#version: 0.2\n")
    files = {"gpt2_encoder_json": "encoder.json", "gpt2_vocab_bpe": "vocab.bpe"}
    paths = {flag: str(folder / name) for flag, name in files.items()}
    return not refused(encoders.build_bpe, Namespace(bpe="gpt2", **paths))


def prompts_as_typed(folder: Path) -> bool:
    (folder / "prompts").write_bytes(b"one\rtwo\n")
    (lines,) = interactive.buffered_read(str(folder / "prompts"), 9)
    return len(lines) == 2


def same_pieces(folder: Path) -> bool:
    record = {"text": {"unit": "words", "moses": False}}
    (folder / "prepared.json").write_text(json.dumps(record))
    task = FairseqTask(Namespace(data=str(folder)))
    return not refused(task.build_bpe, Namespace(bpe="characters"))


def sentence_labels(folder: Path) -> bool:
    for side in ("input0", "label"):
        (folder / side).mkdir()
        write(folder / side / "train", [[4], [5]])
    words = dictionary(folder)
    config = OmegaConf.structured(SentencePredictionConfig(data=str(folder), num_classes=1))
    config.regression_target, config.init_token, config.seed = True, 0, 1
    (folder / "label/train.label").write_text("1.5\nnan\n")
    return not refused(SentencePredictionTask(config, words, words).load_dataset, "train")


def soft_alignments(folder: Path) -> bool:
    flags = SimpleNamespace(generation=SimpleNamespace(print_alignment="soft"))
    return not refused(interactive.make_batches, [], flags, None, None, None)


def whole_word_masking(folder: Path) -> bool:
    try:
        masked_lm(folder).args  # noqa: B018
    except AttributeError:
        return True
    return False
