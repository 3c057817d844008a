"""Checks that run fairseq's commands, as a user would."""

import json
import math
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from .cases import Case, Settings, evaluation_flags, flags, merged, overrides, spelled
from .trial import Stopped, Trial

# On a CPU, fairseq has half precision in its memory-efficient form alone, and no AMP.
PRECISIONS: dict[str, dict[str, Settings]] = {
    "cuda": {
        "float32": {},
        "fp16": {"common": {"fp16": True}},
        "amp": {"common": {"amp": True}},
        "bf16": {"common": {"bf16": True}},
    },
    "cpu": {
        "float32": {},
        "fp16": {"common": {"fp16": True, "memory_efficient_fp16": True}},
        "bf16": {"common": {"bf16": True, "memory_efficient_bf16": True}},
    },
}
# Losses of two runs that should be one: how far apart, in parts of the loss.
NEAR = {"float32": 2e-3, "fp16": 2e-2, "amp": 2e-2, "bf16": 5e-2}
NO_DROPOUT: Settings = {"model": {"dropout": 0.0, "attention_dropout": 0.0}}
COMPARE = "gpu_check.in_process:compare_checkpoints"
TRANSLATION, LANGUAGE_MODEL = "translation", "rmt_language_modeling"


def train(
    trial: Trial,
    case: Case,
    save_dir: Path,
    precision: str = "float32",
    device: str | None = None,
    more: Settings | None = None,
    **options: Any,
) -> dict[int, float]:
    """Train, and return the loss of every update.

    bfloat16 goes through hydra, since fairseq's command line means a TPU by it.
    """
    device = device or trial.where.device
    settings = merged(
        {"common": {"cpu": device == "cpu"}, "checkpoint": {"save_dir": str(save_dir)}},
        {"optimization": {"max_update": trial.where.updates}},
        PRECISIONS[device][precision],
        more or {},
    )
    data = trial.where.data
    if precision == "bf16":
        run = save_dir.with_name(f"{save_dir.name}-hydra")
        arguments = overrides(case, data, settings, run)
        output = trial.run("fairseq-hydra-train", *arguments, **options)
    else:
        output = trial.run("fairseq-train", *flags(case, data, settings), **options)
    losses = losses_of(output)
    bad = [update for update, loss in losses.items() if not math.isfinite(loss)]
    trial.expect(bool(losses), "no loss was logged")
    trial.expect(not bad, f"the loss of updates {bad[:5]} is no number")
    return losses


def losses_of(output: str) -> dict[int, float]:
    """By update, from fairseq's JSON log."""
    lines = re.findall(r"train_inner\b.*?(\{.*\})\s*$", output, re.MULTILINE)
    logged = [json.loads(line) for line in lines]
    return {int(entry["num_updates"]): float(entry["loss"]) for entry in logged if "loss" in entry}


def trains_and_resumes(trial: Trial, case: Case, precision: str) -> None:
    """Train, stop half-way, resume: as if never stopped; then validate and write."""
    resumes(trial, case, precision)
    validate(trial, case, last(trial.folder / "whole"), precision)
    write(trial, case, last(trial.folder / "whole"), precision)


def resumes_exactly(trial: Trial, case: Case) -> None:
    """Where every sum is taken in the same order, a resumed run has the bits of one never stopped.

    Otherwise a GPU may differ in the last digits from run to run, and differences grow.
    """
    resumes(trial, case, "float32", prepare=be_deterministic)
    trial.expect(trial.figures["resumed"]["bits"], "the resumed run has other bits")


def be_deterministic() -> None:
    """Let torch use deterministic algorithms alone.

    With a warning in place of an error it would keep the quick attention that is not one of them.
    """
    import torch

    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    torch.use_deterministic_algorithms(True)


def resumes(trial: Trial, case: Case, precision: str, **options: Any) -> None:
    """Train, stop half-way, resume: as if never stopped."""
    whole, resumed = trial.folder / "whole", trial.folder / "resumed"
    half = trial.where.updates // 2
    saving = {"checkpoint": {"save_interval_updates": half}}
    losses = train(trial, case, whole, precision, more=saving, **options)
    middle = next(iter(whole.glob(f"checkpoint_*_{half}.pt")), None)
    trial.expect(max(losses, default=0) == trial.where.updates, f"{max(losses, default=0)} updates")
    if losses:
        trial.figures["loss"] = [losses[min(losses)], losses[max(losses)]]
    if middle is None:
        raise Stopped("there is nothing to resume from")
    resumed.mkdir()
    shutil.copy(middle, last(resumed))
    again = train(trial, case, resumed, precision, **options)
    compare_runs(trial, precision, losses, again, half)
    same = trial.measure(COMPARE, last(whole), last(resumed))
    trial.figures["resumed"] = same
    trial.expect(same["finite"], "a weight is no number")


def last(save_dir: Path) -> Path:
    """The checkpoint that a run ends with."""
    return save_dir / "checkpoint_last.pt"


def compare_runs(
    trial: Trial, precision: str, one: dict[int, float], other: dict[int, float], after: int = 0
) -> None:
    """Expect the same losses, as far as arithmetic in another order leaves them the same."""
    common = [update for update in sorted(one.keys() & other.keys()) if update > after]
    trial.expect(bool(common), "the runs have no update in common")
    if not common:
        return
    apart = {update: abs(one[update] - other[update]) / abs(one[update]) for update in common}
    # A run that goes on elsewhere is off at once; later, differences grow by themselves.
    at_first, worst = apart[common[0]], max(apart.values())
    trial.figures["losses_apart"] = worst
    trial.expect(
        at_first <= NEAR[precision] and worst <= 5 * NEAR[precision],
        f"losses are apart by {at_first:.2e} in update {common[0]}, at most by {worst:.2e}",
    )


def validate(
    trial: Trial, case: Case, checkpoint: Path, precision: str, device: str | None = None
) -> float:
    """The validation loss of a checkpoint, which has to be a number."""
    arguments = _evaluation(trial, case, checkpoint, precision, device)
    if case.task == LANGUAGE_MODEL:
        output = trial.run("fairseq-eval-lm", *arguments, "--gen-subset", "valid")
        found = re.findall(r"Loss \(base 2\): (\S+),", output)
    else:
        batch = spelled({"dataset": case.settings["dataset"]})
        # Otherwise fairseq leaves out the last rows.
        each = ["--required-batch-size-multiple", 1, "--log-format", "simple"]
        each += ["--criterion", case.criterion]
        output = trial.run("fairseq-validate", *arguments, *batch, *each)
        found = re.findall(r"\bloss ([-\w.]+)", output)
    loss = float(found[-1]) if found else math.nan
    trial.figures[f"valid_loss_{device or trial.where.device}"] = loss
    trial.expect(math.isfinite(loss), f"the validation loss is {loss}")
    return loss


def write(
    trial: Trial, case: Case, checkpoint: Path, precision: str, device: str | None = None
) -> dict[int, tuple[float, str]]:
    """What beam search writes, by number, with scores; nothing for models that do not write."""
    arguments = _evaluation(trial, case, checkpoint, precision, device)
    if case.task == TRANSLATION:
        batch = ["--beam", 3, "--batch-size", 5, "--required-batch-size-multiple", 1]
        output, expected = trial.run("fairseq-generate", *arguments, *batch), 12
    elif case.task == LANGUAGE_MODEL:
        # More than a segment, so that memory is handed on before anything is written.
        prompts = [" ".join(f"w{number}" for number in range(40)), "w7 w8"]
        more = ["--beam", 2, "--max-len-b", 80, "--batch-size", 1]
        text = "\n".join(prompts) + "\n"
        output = trial.run("fairseq-interactive", *arguments, *more, input=text)
        expected = len(prompts)
    else:
        return {}
    found = re.findall(r"^H-(\d+)\t(\S+)\t(.*)$", output, re.MULTILINE)
    texts = {int(number): (float(score), text) for number, score, text in found}
    trial.figures["written"] = len(texts)
    trial.expect(len(texts) == expected, f"{len(texts)} of {expected} texts were written")
    bad = [score for score, _ in texts.values() if not math.isfinite(score)]
    trial.expect(not bad, f"{len(bad)} scores of texts are no numbers")
    return texts


def _evaluation(
    trial: Trial, case: Case, checkpoint: Path, precision: str, device: str | None
) -> list[object]:
    arguments = [*evaluation_flags(case, trial.where.data), "--path", checkpoint]
    device = device or trial.where.device
    if device == "cpu":
        arguments.append("--cpu")
    elif precision == "fp16":
        arguments.append("--fp16")  # others are evaluated in float32
    return arguments


def two_ways(
    trial: Trial,
    case: Case,
    one: Settings,
    other: Settings,
    precision: str = "float32",
    criterion: str = "",
    updates: int = 20,
    **options: Any,
) -> None:
    """Train in two ways that compute the same: the losses are the same.

    The runs are ``one`` and ``other`` in the folder of the trial; the latter has its criterion, if
    one is given, and the ``options`` of `train`.
    """
    few = {"optimization": {"max_update": min(trial.where.updates, updates)}}
    first = train(trial, case, trial.folder / "one", precision, more=merged(few, one))
    case = replace(case, criterion=criterion or case.criterion)
    more = merged(few, other)
    second = train(trial, case, trial.folder / "other", precision, more=more, **options)
    compare_runs(trial, precision, first, second)


def as_on_the_cpu(trial: Trial, case: Case) -> None:
    """The same losses, and from the same weights the same texts, on GPU and CPU in float32."""
    two_ways(trial, case, NO_DROPOUT, NO_DROPOUT, updates=10, device="cpu")
    checkpoint = last(trial.folder / "one")
    losses = [validate(trial, case, checkpoint, "float32", d) for d in (trial.where.device, "cpu")]
    trial.expect(
        abs(losses[0] - losses[1]) <= 2e-3 * abs(losses[1]),
        f"validation losses are apart: {losses[0]} and, on the CPU, {losses[1]}",
    )
    texts = [write(trial, case, checkpoint, "float32", d) for d in (trial.where.device, "cpu")]
    if texts[0]:
        pairs = [(texts[0][number], texts[1][number]) for number in texts[0].keys() & texts[1]]
        same = sum(one[1] == other[1] for one, other in pairs)
        trial.figures["same_texts"] = [same, len(pairs)]
        # Two hypotheses may be so near that rounding decides.
        trial.expect(same >= 0.8 * len(pairs), f"{same} of {len(pairs)} texts are the CPU's")
        apart = max((abs(a[0] - b[0]) for a, b in pairs if a[1] == b[1]), default=0.0)
        trial.figures["scores_apart"] = apart
        trial.expect(apart <= 1e-2, f"scores of the same texts are apart by {apart:.2e}")


def wrap_in_ddp() -> None:
    """Let fairseq wrap the model although there is one process, for which it sees no need."""
    from fairseq.trainer import Trainer

    Trainer.use_distributed_wrapper = property(lambda trainer: True)


def distributed(trial: Trial, case: Case, backend: str) -> None:
    """One process in a group of NCCL (of gloo on a CPU): the losses of a process without one."""
    group = {
        "distributed_training": {
            "distributed_world_size": 1,
            "distributed_rank": 0,
            "distributed_no_spawn": True,
            "distributed_init_method": f"file://{trial.folder / 'group'}",
            "distributed_backend": "nccl" if trial.where.device == "cuda" else "gloo",
            "ddp_backend": backend,
        }
    }
    two_ways(trial, case, {}, group, prepare=wrap_in_ddp)
    weights = [last(trial.folder / name) for name in ("one", "other")]
    trial.figures["weights"] = trial.measure(COMPARE, *weights)


def two_workers(trial: Trial, case: Case) -> None:
    """Two workers of gloo on one device, beside one worker that takes two batches an update."""
    twice = merged(NO_DROPOUT, {"optimization": {"update_freq": [2]}})
    gloo = merged(NO_DROPOUT, {"distributed_training": {"distributed_backend": "gloo"}})
    two_ways(trial, case, twice, gloo, workers=2)
