"""Errors of fairseq and torch that a user can put right, by what they say, and our line for each.

fairseq raises them before it asks the plugin anything, or in a place that nothing stands in front
of.
"""

import re
import traceback
from typing import NamedTuple


class Known(NamedTuple):
    """An error, and what is told in its place."""

    says: str  # a pattern of its kind and words, such as ValueError: what it says
    line: str  # ours, with the pattern's named groups in braces
    through: str | None = None  # the function it came through, where the words alone are too common


def line_for(error: BaseException) -> str | None:
    """Our line for an error in the table, or None."""
    for known in ERRORS:
        found = re.search(known.says, f"{type(error).__name__}: {error}", re.DOTALL)
        if found and (known.through is None or _passed_through(error, known.through)):
            return known.line.format(**found.groupdict())
    return None


def _passed_through(error: BaseException, function: str) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    of_worker = getattr(error, "workers_traceback", "")
    return f", in {function}\n" in of_worker or any(frame.name == function for frame in frames)


_PREPROCESS = "give the folder that fairseq-preprocess wrote, or run fairseq-preprocess again"

_OPTIMIZER = (
    "the optimizer's state in the checkpoint does not fit this model: train on with "
    "--reset-optimizer, or start from the weights alone with --finetune-from-model"
)

ERRORS = [
    Known(
        r"Dataset not found: (?P<split>\S+) \((?P<folder>.*)\)",
        f"the data folder {{folder}} has no '{{split}}' set for this language pair: {_PREPROCESS}",
    ),
    Known(
        r"could not find dataset: (?P<file>.*)",
        f"there is no set {{file}}: {_PREPROCESS}",
    ),
    Known(
        r"Dataset contains mask_idx \(=(?P<token>\d+)\)",
        "the text has the token {token}, which is that of <mask>: use the dict.txt that it was "
        f"made with, or {_PREPROCESS}",
    ),
    Known(
        r"Must set task.num_classes",
        "--num-classes is to be 1 or more: give as many as label/dict.txt has labels",
    ),
    Known(
        r"(not enough memory|can't allocate memory): you tried to allocate (?P<bytes>\d+) bytes",
        "this machine has not the {bytes} bytes of memory that were asked for: use smaller sizes, "
        "or a smaller batch",
    ),
    Known(
        r"Size of sample #(?P<index>\d+) is invalid \(=(?P<size>.*?)\) since "
        r"max_positions=(?P<limit>.*?), skip",
        "sentence {index} has {size} tokens (source, target), more than the {limit} that the model "
        "takes: shorten it, raise --max-source-positions and --max-target-positions (or "
        "--max-positions), or skip such sentences with --skip-invalid-size-inputs-valid-test",
    ),
    Known(
        r"--replace-unk requires a raw text dataset",
        "--replace-unk cannot be done: leave it out, and cut text into pieces (--bpe), which are "
        "hardly ever unknown",
    ),
    Known(
        r"Please install (?P<package>\w+) to use WER scorer",
        "--scoring wer needs the package {package}: pip install {package}",
    ),
    Known(
        r"Model file not found: (?P<file>.*)",
        "there is no checkpoint {file}: check --path",
    ),
    Known(
        r"AdaptiveLoss is not compatible with the PyTorch version of DistributedDataParallel",
        "--criterion adaptive_loss does not go with --ddp-backend pytorch_ddp, the default: use "
        "--criterion segment_cross_entropy, or --ddp-backend legacy_ddp",
    ),
    Known(
        r"Expected to (have finished reduction|mark a variable ready only once)",
        "not every weight of the model got its gradient once in this step, which --ddp-backend "
        "pytorch_ddp needs: use --ddp-backend legacy_ddp, or give --find-unused-parameters (or "
        "leave it out)",
    ),
    Known(
        r"(gloo|NCCL|ncclRemoteError|TCPStore|store).*"
        r"(closed by peer|reset by peer|[Bb]roken pipe|remote process exited|Failed to recv)",
        "another worker of this run has ended, and this one cannot go on without it: what went "
        "wrong stands in the other's output",
    ),
    Known(
        r"--finetune-from-model (?P<file>.*) does not exist",
        "there is no checkpoint {file}: check --finetune-from-model",
        through="load_checkpoint",
    ),
    Known(
        r"--finetune-from-model (can not be set|and --restore-file)",
        "--finetune-from-model takes the weights alone from a checkpoint and begins anew with all "
        "else: leave out --restore-file and --reset-...",
        through="load_checkpoint",
    ),
    Known(
        r"Error: \[Errno \d+\] (?P<reason>[^:]*): '(?P<file>.*)'",
        "--save-dir cannot be written to ({file}: {reason}): give a folder that can",
        through="verify_checkpoint_directory",
    ),
    Known(
        r"Cannot resume training due to dataloader mismatch",
        "the checkpoint was written in the middle of an epoch, at a batch that there is none of "
        "now: use the data and the batch size that it was written with, or begin the data anew "
        "with --reset-dataloader",
    ),
    Known(
        r"Interpolation key 'task\.\w+' not found.*object_type=RmtLanguageModelConfig",
        "--arch rmt_lm and its sizes do not fit this --task (translation, where none is given): "
        "use --task rmt_language_modeling",
    ),
    Known(
        r"Interpolation key 'criterion\.\w+' not found.*full_key: task\.",
        "--criterion is missing or does not fit this --task: give the one that goes with it, such "
        "as --criterion sentence_prediction with --task sentence_prediction",
    ),
    Known(
        r"ValueError: (?P<what>--share-all-embeddings (requires|not compatible with) .*)",
        "{what}: leave it out, or change what it needs",
    ),
    Known(
        r"^RuntimeError: $",
        "--arch is missing: name an architecture; fairseq-memtx arches lists ours",
        through="parse_args_and_arch",
    ),
    Known(
        r"^KeyError: None$",
        "--task is missing: name the one that the model was trained with",
        through="parse_args_and_arch",
    ),
    Known(
        r"ValueError: (?P<flag>optimizer|criterion|lr_scheduler|scoring) is required!",
        "--{flag} is missing: name one",
    ),
    Known(
        r"Must specify batch size either with",
        "--batch-size or --max-tokens is missing: give one",
    ),
    Known(r"Seed must be between", "--seed is out of range: use 0 to 4294967295"),
    Known(
        r"FileNotFoundError: .*No such file or directory: '(?P<file>.*)'",
        "there is no file of embeddings {file}: check --encoder-embed-path and "
        "--decoder-embed-path",
        through="parse_embedding",
    ),
    Known(
        r"TypeError: .*missing 1 required positional argument: 'prev_output_tokens'",
        "score() is for language models: give a translation and its source to fairseq-generate "
        "--score-reference",
        through="score",
    ),
    Known(
        r"TypeError: \S*Meter\.update\(\) ",
        "a meter in the checkpoint is of another kind than this run's: train on with "
        "--reset-meters",
        through="log_scalar",
    ),
    Known(
        r"AttributeError: 'NoneType' object has no attribute 'elapsed_time'",
        "the checkpoint has no meter of the time: train on with --reset-meters",
        through="get_training_stats",
    ),
    Known(
        r"FloatingPointError: gradients are Nan/Inf",
        "the gradients of this step are NaN or infinite: use a lower --lr or a --clip-norm, or, in "
        "a run's first step, other weights to begin with",
    ),
    Known(
        r"^AssertionError: (?P<step>\d+) < (?P<longest>\d+)$",
        "the weights of the checkpoint give no probabilities (they are too large, or not trained): "
        "use another one",
        through="_generate",
    ),
    Known(
        r"Cannot combine manual lr and relative_step",
        "--relative-step cannot be had, since fairseq always gives adafactor a learning rate: "
        "leave it out, and --warmup-init too",
    ),
    Known(
        r"--fp16-adam-stats is only supported with FusedAdamV1",
        "--fp16-adam-stats needs a GPU and apex: leave it out",
    ),
    Known(r"ValueError: loaded state dict .* parameter group", _OPTIMIZER),
    Known(r"RuntimeError: .*size of tensor a .* must match", _OPTIMIZER, through="optimizer_step"),
]
