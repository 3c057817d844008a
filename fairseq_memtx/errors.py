"""Errors that a user can act upon, told in one line."""

from __future__ import annotations

import builtins
import re
import sys
import traceback
from types import TracebackType

from hydra.errors import CompactHydraException
from omegaconf.errors import OmegaConfBaseException
from torch.multiprocessing import ProcessRaisedException

LONGEST = 1000  # characters of a line


class MemtxError(CompactHydraException):
    """Something the user can put right. The message says what was wrong, where, and what to do.

    hydra, through which ``fairseq-hydra-train`` runs, prints an error of this base in one line.
    """


# The checkpoints that this process began with, as the user named them; see `begin_with`.
_begun_with: str | None = None


def begin_with(checkpoints: str | None) -> None:
    """Remember which checkpoints were loaded, for what comes up only when they are used."""
    global _begun_with
    _begun_with = checkpoints


def explain(error: BaseException | None) -> str | None:
    """One line for an error that the user can put right, or None for any other.

    Looks through the chain of causes. An error that came up while another was handled is an error
    of its own, and its traceback is wanted; but fairseq's trainer, where it replaces what a model
    said of its checkpoint by an exception of its own, gives no cause. Errors that fairseq raises
    before it asks the plugin anything are recognised by what they say.
    """
    while error is not None:
        if isinstance(error, ProcessRaisedException):
            error = _raised_by_worker(error)
        if isinstance(error, MemtxError):
            return _readable(_named(str(error)))
        for kind, pattern, function, line in _FAIRSEQ_ERRORS:
            found = isinstance(error, kind) and re.search(pattern, str(error), re.DOTALL)
            if found and (function is None or _passed_through(error, function)):
                return _readable(_named(line.format(**found.groupdict())))
        if isinstance(error, OmegaConfBaseException) and _begun_with is not None:
            wrong = str(error).splitlines()[0]
            return _readable(f"checkpoint {_begun_with} has settings that do not do: {wrong}")
        replaced = _REPLACEMENT in str(error) and not error.__suppress_context__
        error = error.__cause__ or (error.__context__ if replaced else None)
    return None


def _named(line: str) -> str:
    """The line with the name of "the checkpoint" where it has none."""
    if _begun_with is None or _begun_with in line:
        return line
    return line.replace("the checkpoint ", f"the checkpoint {_begun_with} ", 1)


def _raised_by_worker(error: ProcessRaisedException) -> BaseException:
    """What a worker raised that fairseq started, one for each GPU: torch gives its text alone."""
    (_, name, message) = re.findall(r"^((?:\w+\.)*)(\w+): (.*)$", str(error), re.MULTILINE)[-1]
    kind = MemtxError if name == MemtxError.__name__ else getattr(builtins, name, None)
    known = isinstance(kind, type) and issubclass(kind, Exception)
    raised = kind(message) if known else RuntimeError(message)
    raised.workers_traceback = str(error)
    return raised


def _readable(line: str) -> str:
    """The line with ``9`` for numpy's ``np.int64(9)``, as lists of its numbers are printed.

    A file may hold values of any length: what says where and what to do is at both ends.
    """
    line = re.sub(r"\bnp\.\w+\(([^()]*)\)", r"\1", line)
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]}...{line[-LONGEST // 2 :]}"


def _passed_through(error: BaseException, function: str) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    of_worker = getattr(error, "workers_traceback", "")
    return f", in {function}\n" in of_worker or any(frame.name == function for frame in frames)


_REPLACEMENT = "Cannot load model parameters from checkpoint"  # trainer.py, load_checkpoint

_PREPROCESS = "give the folder that fairseq-preprocess wrote, or run fairseq-preprocess again"

_OPTIMIZER = (
    "the optimizer's state in the checkpoint does not fit this model: train on with "
    "--reset-optimizer, or start from the weights alone with --finetune-from-model"
)

# Kind, what it says, the function it came through (where the words alone are too common), our line.
_FAIRSEQ_ERRORS = [
    (
        FileNotFoundError,
        r"Dataset not found: (?P<split>\S+) \((?P<folder>.*)\)",
        None,
        f"the data folder {{folder}} has no '{{split}}' set for this language pair: {_PREPROCESS}",
    ),
    (
        AssertionError,
        r"could not find dataset: (?P<file>.*)",
        None,
        f"there is no set {{file}}: {_PREPROCESS}",
    ),
    (
        AssertionError,
        r"Dataset contains mask_idx \(=(?P<token>\d+)\)",
        None,
        "the text has the token {token}, which is that of <mask>: use the dict.txt that it was "
        f"made with, or {_PREPROCESS}",
    ),
    (
        AssertionError,
        r"Must set task.num_classes",
        None,
        "--num-classes is to be 1 or more: give as many as label/dict.txt has labels",
    ),
    (
        RuntimeError,
        r"(not enough memory|can't allocate memory): you tried to allocate (?P<bytes>\d+) bytes",
        None,
        "this machine has not the {bytes} bytes of memory that were asked for: use smaller sizes, "
        "or a smaller batch",
    ),
    (
        Exception,
        r"Size of sample #(?P<index>\d+) is invalid \(=(?P<size>.*?)\) since "
        r"max_positions=(?P<limit>.*?), skip",
        None,
        "sentence {index} has {size} tokens (source, target), more than the {limit} that the model "
        "takes: shorten it, raise --max-source-positions and --max-target-positions (or "
        "--max-positions), or skip such sentences with --skip-invalid-size-inputs-valid-test",
    ),
    (
        AssertionError,
        r"--replace-unk requires a raw text dataset",
        None,
        "--replace-unk cannot be done: leave it out, and cut text into pieces (--bpe), which are "
        "hardly ever unknown",
    ),
    (
        ImportError,
        r"Please install (?P<package>\w+) to use WER scorer",
        None,
        "--scoring wer needs the package {package}: pip install {package}",
    ),
    (
        OSError,
        r"Model file not found: (?P<file>.*)",
        None,
        "there is no checkpoint {file}: check --path",
    ),
    (
        Exception,
        r"AdaptiveLoss is not compatible with the PyTorch version of DistributedDataParallel",
        None,
        "--criterion adaptive_loss does not go with --ddp-backend pytorch_ddp, the default: use "
        "--criterion segment_cross_entropy, or --ddp-backend legacy_ddp",
    ),
    (
        RuntimeError,
        r"Expected to (have finished reduction|mark a variable ready only once)",
        None,
        "not every weight of the model got its gradient once in this step, which --ddp-backend "
        "pytorch_ddp needs: use --ddp-backend legacy_ddp, or give --find-unused-parameters (or "
        "leave it out)",
    ),
    (
        RuntimeError,
        r"(gloo|NCCL|ncclRemoteError|TCPStore|store).*"
        r"(closed by peer|reset by peer|[Bb]roken pipe|remote process exited|Failed to recv)",
        None,
        "another worker of this run has ended, and this one cannot go on without it: what went "
        "wrong stands in the other's output",
    ),
    (
        ValueError,
        r"--finetune-from-model (?P<file>.*) does not exist",
        "load_checkpoint",
        "there is no checkpoint {file}: check --finetune-from-model",
    ),
    (
        ValueError,
        r"--finetune-from-model (can not be set|and --restore-file)",
        "load_checkpoint",
        "--finetune-from-model takes the weights alone from a checkpoint and begins anew with all "
        "else: leave out --restore-file and --reset-...",
    ),
    (
        OSError,
        r"\[Errno \d+\] (?P<reason>[^:]*): '(?P<file>.*)'",
        "verify_checkpoint_directory",
        "--save-dir cannot be written to ({file}: {reason}): give a folder that can",
    ),
    (
        RuntimeError,
        r"Cannot resume training due to dataloader mismatch",
        None,
        "the checkpoint was written in the middle of an epoch, at a batch that there is none of "
        "now: use the data and the batch size that it was written with, or begin the data anew "
        "with --reset-dataloader",
    ),
    (
        Exception,
        r"Interpolation key 'task\.\w+' not found.*object_type=RmtLanguageModelConfig",
        None,
        "--arch rmt_lm and its sizes do not fit this --task (translation, where none is given): "
        "use --task rmt_language_modeling",
    ),
    (
        Exception,
        r"Interpolation key 'criterion\.\w+' not found.*full_key: task\.",
        None,
        "--criterion is missing or does not fit this --task: give the one that goes with it, such "
        "as --criterion sentence_prediction with --task sentence_prediction",
    ),
    (
        ValueError,
        r"^(?P<what>--share-all-embeddings (requires|not compatible with) .*)",
        None,
        "{what}: leave it out, or change what it needs",
    ),
    (
        RuntimeError,
        r"^$",
        "parse_args_and_arch",
        "--arch is missing: name an architecture; python -m fairseq_memtx lists ours",
    ),
    (
        ValueError,
        r"^(?P<flag>optimizer|criterion|lr_scheduler|scoring) is required!",
        None,
        "--{flag} is missing: name one",
    ),
    (
        AssertionError,
        r"Must specify batch size either with",
        None,
        "--batch-size or --max-tokens is missing: give one",
    ),
    (
        ValueError,
        r"Seed must be between",
        None,
        "--seed is out of range: use 0 to 4294967295",
    ),
    (
        OSError,
        r"No such file or directory: '(?P<file>.*)'",
        "parse_embedding",
        "there is no file of embeddings {file}: check --encoder-embed-path and "
        "--decoder-embed-path",
    ),
    (
        TypeError,
        r"missing 1 required positional argument: 'prev_output_tokens'",
        "score",
        "score() is for language models: give a translation and its source to fairseq-generate "
        "--score-reference",
    ),
    (
        TypeError,
        r"Meter\.update\(\) ",
        "log_scalar",
        "a meter in the checkpoint is of another kind than this run's: train on with "
        "--reset-meters",
    ),
    (
        AttributeError,
        r"'NoneType' object has no attribute 'elapsed_time'",
        "get_training_stats",
        "the checkpoint has no meter of the time: train on with --reset-meters",
    ),
    (
        ValueError,
        r"^--share-all-embeddings (?P<what>.*)",
        "build_model",
        "--share-all-embeddings {what}: leave the flag out, or make the sides alike",
    ),
    (
        FloatingPointError,
        r"gradients are Nan/Inf",
        None,
        "the gradients of this step are NaN or infinite: use a lower --lr or a --clip-norm, or, in "
        "a run's first step, other weights to begin with",
    ),
    (
        AssertionError,
        r"^(?P<step>\d+) < (?P<longest>\d+)$",
        "_generate",
        "the model gives no probabilities (its weights are too large, or not trained): use another "
        "checkpoint",
    ),
    (ValueError, r"loaded state dict .* parameter group", None, _OPTIMIZER),
    (RuntimeError, r"size of tensor a .* must match", "optimizer_step", _OPTIMIZER),
]


def _print_one_line(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    line = explain(error)
    if line is None:
        _previous_hook(kind, error, trace)
    else:
        print(f"fairseq-memtx: error: {line}", file=sys.stderr)


_previous_hook = sys.excepthook


def install_hook() -> None:
    """Let uncaught errors that `explain` knows end a command in one line; Python exits with 1."""
    global _previous_hook
    if sys.excepthook is not _print_one_line:
        _previous_hook, sys.excepthook = sys.excepthook, _print_one_line
