"""What the GPU check trains: every family, backbone and scheme, as small as it can be.

Settings are those of fairseq's configuration, and spelled in two ways: as flags of the command
line and as what ``fairseq-hydra-train`` takes, since fairseq by itself has bfloat16 on a GPU only
there (``--bf16`` on its command line means a TPU).
"""

import re
from pathlib import Path
from typing import NamedTuple

PLUGIN = Path(__file__).resolve().parents[2] / "fairseq_memtx"


class Case(NamedTuple):
    """A model, what it is trained on, and how."""

    title: str  # the paper's model, and which of its kinds
    arch: str
    task: str
    criterion: str
    data: str  # a folder of `data`, or "" where the task makes its own
    settings: str  # of the configuration, each part.name=value; the last one wins


TRAINING = (
    "common.seed=1 common.log_format=json common.log_interval=1 dataset.num_workers=0 "
    "dataset.required_batch_size_multiple=1 optimization.lr=[0.001] optimization.clip_norm=1.0 "
    "checkpoint.no_epoch_checkpoints=true"
)

NO_DROPOUT = "model.dropout=0.0 model.attention_dropout=0.0"


def flags(case: Case, data: Path, settings: str) -> list[str]:
    """The command line of ``fairseq-train``."""
    line = [*_where(case, data), "--arch", case.arch, "--criterion", case.criterion]
    line += ["--optimizer", "adam", "--lr-scheduler", "fixed"]
    return line + spelled(f"{TRAINING} {case.settings} {settings}")


def evaluation_flags(case: Case, data: Path) -> list[str]:
    """What is the same for all commands that use a checkpoint: the data and how to read them."""
    return _where(case, data) + spelled(part_of(case.settings, "task"))


def _where(case: Case, data: Path) -> list[str]:
    folder = [str(data / case.data)] if case.data else []
    return [*folder, "--user-dir", str(PLUGIN), "--task", case.task]


def part_of(settings: str, part: str) -> str:
    """The settings of a part of the configuration."""
    return " ".join(word for word in settings.split() if word.startswith(f"{part}."))


def spelled(settings: str) -> list[str]:
    """Settings as flags."""
    line = []
    for setting in settings.split():
        name, value = setting.partition(".")[2].split("=", 1)
        flag = f"--{name.replace('_', '-')}"
        if value != "false":
            line += [flag] if value == "true" else [flag, value.strip("[]")]
    return line


def overrides(case: Case, data: Path, settings: str) -> list[str]:
    """The command line of ``fairseq-hydra-train``, which stays in its folder."""
    line = ["--config-dir", str(PLUGIN / "config"), f"model={case.arch}", f"task={case.task}"]
    line += [f"criterion={case.criterion}", "optimizer=adam", "lr_scheduler=fixed"]
    line += [f"common.user_dir='{PLUGIN}'", "hydra.run.dir=."]
    if case.data:
        line.append(f"task.data='{data / case.data}'")
    for setting in f"{TRAINING} {case.settings} {settings}".split():
        name, value = setting.split("=", 1)
        plain = re.fullmatch(r"[\w.-]+|\[.*\]", value)
        # ++: also what the preset's file is silent about.
        line.append(f"++{name}={value if plain else repr(value)}")
    return line


FUSED, SMOOTHED = "fused_label_smoothed_cross_entropy", "label_smoothed_cross_entropy"


def _translation(variant: str, criterion: str = FUSED) -> Case:
    settings = (
        f"model.memory_tokens=5 model.dropout=0.1 model.memory_variant={variant} "
        "task.source_lang=src task.target_lang=tgt dataset.max_tokens=400 "
        "criterion.label_smoothing=0.1"
    )
    title, arch = f"mem_transformer {variant}", "mem_transformer_tiny"
    return Case(title, arch, "translation", criterion, "translation", settings)


def _language_model(name: str, criterion: str, settings: str, family: str = "rmt_lm") -> Case:
    settings = f"model.dropout=0.1 task.tokens_per_sample=32 dataset.batch_size=4 {settings}"
    title, arch, task = f"{family} {name}", f"{family}_tiny", "rmt_language_modeling"
    return Case(title, arch, task, criterion, "text", settings)


def _masked_lm(name: str, settings: str) -> Case:
    settings = (
        "model.max_positions=256 model.dropout=0.1 task.tokens_per_sample=256 "
        f"task.sample_break_mode=complete_doc dataset.batch_size=4 {settings}"
    )
    title, arch = f"gmat_roberta {name}", "gmat_roberta_tiny"
    return Case(title, arch, "masked_lm", "masked_lm", "text", settings)


def _document_task(task: str, criterion: str, data: str, settings: str) -> Case:
    settings = f"model.dropout=0.1 dataset.batch_size=8 {settings}"
    return Case(f"gmat_roberta {task}", "gmat_roberta_tiny", task, criterion, data, settings)


# One of each family first: where time runs out, these have been tried.
FIRST = [
    _translation("tokens"),
    _language_model(
        "transformer-xl", "segment_cross_entropy", "task.window_segments=2 model.cache_length=32"
    ),
    _masked_lm("chunked", "model.sparse_attention=chunked model.chunk_size=32"),
    _language_model(
        "transformer-xl", "segment_cross_entropy", "task.window_segments=2", family="armt_lm"
    ),
]
OTHERS = [
    _language_model(
        "transformer", "cross_entropy",
        "task.window_segments=2 model.backbone=transformer model.checkpoint_segments=true",
        family="armt_lm",
    ),
    Case(
        "rmt_lm facts_in_noise", "rmt_lm_tiny", "facts_in_noise", "cross_entropy", "",
        "model.dropout=0.1 task.segments=4 task.train_size=400 task.valid_size=16 "
        "dataset.batch_size=8",
    ),
    _language_model(
        "transformer", "cross_entropy", "task.window_segments=2 model.backbone=transformer"
    ),
    _language_model(
        "adaptive softmax", "segment_cross_entropy",
        "model.cache_length=16 model.adaptive_softmax_cutoff=50,150 model.checkpoint_segments=true "
        "task.window_segments=3 task.stride_segments=1",
    ),
    _masked_lm(
        "window",
        "model.sparse_attention=window model.window_size=32 "
        "model.separate_memory_projections=true",
    ),
    _masked_lm("lsh", "model.sparse_attention=lsh model.lsh_buckets=8 model.chunk_size=32"),
    _translation("bottleneck"),
    _masked_lm("segments", "model.segments=4 model.chunk_size=32"),
    _masked_lm(
        "compression",
        "model.encoder_layers=3 model.compress_layers=1 model.memory_layers=1 "
        "model.decompress_layers=1 model.chunk_size=32",
    ),
    _masked_lm("none", "model.sparse_attention=none"),
    _translation("controller", SMOOTHED),
    _document_task(
        "extractive_qa", "extractive_qa", "questions",
        "task.max_positions=64 task.max_question_length=8 model.chunk_size=16",
    ),
    _document_task(
        "sentence_prediction", "sentence_prediction", "sentences",
        "task.max_positions=32 task.num_classes=2 task.init_token=0 model.segments=2",
    ),
    _document_task(
        "majority-tagging", "sequence_tagging", "",
        "task.sequence_length=100 task.train_size=256 task.valid_size=16 task.test_size=16",
    ),
    _language_model(
        "documents", "cross_entropy",
        "model.cache_length=32 model.memory_reads_cache=true task.reset_memory_at_documents=true",
    ),
    _translation("bottleneck-skip"),
    _translation("shared-controller"),
]  # fmt: skip
CASES = [*FIRST, *OTHERS]
