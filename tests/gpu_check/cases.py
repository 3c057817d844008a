"""What the GPU check trains: every family, backbone and scheme, as small as it can be.

A case is written once, by the parts of fairseq's configuration, and spelled in two ways: as flags
of the command line and as what ``fairseq-hydra-train`` takes, since fairseq has bfloat16 on a GPU
only there (``--bf16`` on the command line means a TPU).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PLUGIN = Path(__file__).resolve().parents[2] / "fairseq_memtx"

Settings = dict[str, dict[str, Any]]  # by part of the configuration, such as "model"


@dataclass(frozen=True)
class Case:
    """A model, what it is trained on, and how.

    Attributes:
        family: the paper's model.
        name: of the case, in its family.
        arch: the preset.
        task: fairseq's name.
        criterion: fairseq's name.
        data: a folder of `data`, or "" where the task makes its own.
        settings: whatever else the configuration says.
    """

    family: str
    name: str
    arch: str
    task: str
    criterion: str
    data: str
    settings: Settings = field(default_factory=dict)

    @property
    def title(self) -> str:
        """As it stands in the table."""
        return f"{self.family} {self.name}"


TRAINING: Settings = {
    "common": {"seed": 1, "log_format": "json", "log_interval": 1},
    "dataset": {"num_workers": 0, "required_batch_size_multiple": 1},
    "optimization": {"lr": [0.001], "clip_norm": 1.0},
    "checkpoint": {"no_epoch_checkpoints": True},
}


def merged(*many: Settings) -> Settings:
    """Settings of all; the last one wins."""
    parts: Settings = {}
    for settings in many:
        for part, values in settings.items():
            parts[part] = {**parts.get(part, {}), **values}
    return parts


def flags(case: Case, data: Path, settings: Settings) -> list[str]:
    """The command line of ``fairseq-train``."""
    line = [str(data / case.data)] if case.data else []
    line += ["--user-dir", str(PLUGIN), "--task", case.task, "--criterion", case.criterion]
    line += ["--arch", case.arch, "--optimizer", "adam", "--lr-scheduler", "fixed"]
    return line + spelled(merged(TRAINING, case.settings, settings))


def evaluation_flags(case: Case, data: Path) -> list[str]:
    """What is the same for all commands that use a checkpoint: the data and how to read them."""
    line = [str(data / case.data)] if case.data else []
    line += ["--user-dir", str(PLUGIN), "--task", case.task]
    return line + spelled({"task": case.settings.get("task", {})})


def spelled(settings: Settings) -> list[str]:
    """Settings as flags."""
    line = []
    for values in settings.values():
        for name, value in values.items():
            flag = f"--{name.replace('_', '-')}"
            if value is True:
                line.append(flag)
            elif value is not False:
                line += [flag, str(value[0] if isinstance(value, list) else value)]
    return line


def overrides(case: Case, data: Path, settings: Settings, run: Path) -> list[str]:
    """The command line of ``fairseq-hydra-train``, which works in the folder ``run``."""
    line = ["--config-dir", str(PLUGIN / "config"), f"model={case.arch}", f"task={case.task}"]
    line += [f"criterion={case.criterion}", "optimizer=adam", "lr_scheduler=fixed"]
    line += [f"common.user_dir='{PLUGIN}'", f"hydra.run.dir='{run}'"]
    if case.data:
        line.append(f"task.data='{data / case.data}'")
    for part, values in merged(TRAINING, case.settings, settings).items():
        for name, value in values.items():
            # ++: also what the preset's file is silent about.
            line.append(f"++{part}.{name}={_of_yaml(value)}")
    return line


def _of_yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, (str, Path)) else str(value)


def _translation(name: str, criterion: str, **model: Any) -> Case:
    settings = {
        "model": {"memory_tokens": 5, "dropout": 0.1, **model},
        "task": {"source_lang": "src", "target_lang": "tgt"},
        "dataset": {"max_tokens": 400},
        "criterion": {"label_smoothing": 0.1},
    }
    return Case(
        "mem_transformer", name, "mem_transformer_tiny", "translation", criterion, "translation",
        settings,
    )  # fmt: skip


def _language_model(name: str, criterion: str, task: dict[str, Any], **model: Any) -> Case:
    settings = {
        "model": {"dropout": 0.1, **model},
        "task": {"tokens_per_sample": 32, **task},
        "dataset": {"batch_size": 4},
    }
    return Case("rmt_lm", name, "rmt_lm_tiny", "rmt_language_modeling", criterion, "text", settings)


def _masked_lm(name: str, **model: Any) -> Case:
    # The size that the scheme has; another would be refused.
    sizes = {"window": {"window_size": 32}, "none": {}}
    size = sizes.get(model.get("sparse_attention", "chunked"), {"chunk_size": 32})
    settings = {
        "model": {"max_positions": 256, "dropout": 0.1, **size, **model},
        "task": {"tokens_per_sample": 256, "sample_break_mode": "complete_doc"},
        "dataset": {"batch_size": 4},
    }
    return Case(
        "gmat_roberta", name, "gmat_roberta_tiny", "masked_lm", "masked_lm", "text", settings
    )


def _document_task(
    name: str, criterion: str, data: str, task: dict[str, Any], **model: Any
) -> Case:
    settings = {"model": {"dropout": 0.1, **model}, "task": task, "dataset": {"batch_size": 8}}
    return Case("gmat_roberta", name, "gmat_roberta_tiny", name, criterion, data, settings)


FUSED = "fused_label_smoothed_cross_entropy"
COMPRESSION = {
    "encoder_layers": 3,
    "compress_layers": 1,
    "memory_layers": 1,
    "decompress_layers": 1,
}

# One of each family first: where time runs out, these have been tried.
FIRST = [
    _translation("tokens", FUSED, memory_variant="tokens"),
    _language_model(
        "transformer-xl", "segment_cross_entropy", {"window_segments": 2}, cache_length=32
    ),
    _masked_lm("chunked", sparse_attention="chunked"),
]
OTHERS = [
    _language_model("transformer", "cross_entropy", {"window_segments": 2}, backbone="transformer"),
    _language_model(
        "adaptive softmax", "segment_cross_entropy", {"window_segments": 3, "stride_segments": 1},
        cache_length=16, adaptive_softmax_cutoff="50,150", checkpoint_segments=True,
    ),
    _masked_lm("window", sparse_attention="window", separate_memory_projections=True),
    _masked_lm("lsh", sparse_attention="lsh", lsh_buckets=8),
    _translation("bottleneck", FUSED, memory_variant="bottleneck"),
    _masked_lm("segments", segments=4),
    _masked_lm("compression", **COMPRESSION),
    _masked_lm("none", sparse_attention="none"),
    _translation("controller", "label_smoothed_cross_entropy", memory_variant="controller"),
    _document_task(
        "extractive_qa", "extractive_qa", "questions",
        {"max_positions": 64, "max_question_length": 8}, chunk_size=16,
    ),
    _document_task(
        "sentence_prediction", "sentence_prediction", "sentences",
        {"max_positions": 32, "num_classes": 2, "init_token": 0}, segments=2,
    ),
    _document_task(
        "majority-tagging", "sequence_tagging", "",
        {"sequence_length": 100, "train_size": 256, "valid_size": 16, "test_size": 16},
    ),
    _language_model(
        "documents", "cross_entropy", {"reset_memory_at_documents": True}, cache_length=32,
        memory_reads_cache=True,
    ),
    _translation("bottleneck-skip", FUSED, memory_variant="bottleneck-skip"),
    _translation("shared-controller", FUSED, memory_variant="shared-controller"),
]  # fmt: skip
CASES = [*FIRST, *OTHERS]
