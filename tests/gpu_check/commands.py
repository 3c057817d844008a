"""Checks that run fairseq's commands, as a user would."""

import json
import math
import os
import re
import shutil
from pathlib import Path
from typing import Any

from .cases import NO_DROPOUT, Case, evaluation_flags, flags, overrides, part_of, spelled
from .trial import Stopped, Trial

# On a CPU, fairseq has half precision in its memory-efficient form alone, and no AMP.
PRECISIONS = {
    "cuda": {"float32": "", "fp16": "common.fp16=true", "amp": "common.amp=true",
             "bf16": "common.bf16=true"},
    "cpu": {"float32": "", "fp16": "common.fp16=true common.memory_efficient_fp16=true",
            "bf16": "common.bf16=true common.memory_efficient_bf16=true"},
}  # fmt: skip
# Losses of two runs that should be one: how far apart, in parts of the loss.
NEAR = {"float32": 2e-3, "fp16": 2e-2, "amp": 2e-2, "bf16": 5e-2}
COMPARE = "in_process:compare_checkpoints"


def train(
    trial: Trial,
    case: Case,
    name: str,
    precision: str = "float32",
    settings: str = "",
    device: str | None = None,
    **options: Any,
) -> dict[int, float]:
    """Train in the folder of this name, and return the loss of every update.

    bfloat16 goes through hydra, since fairseq's command line means a TPU by it.
    """
    device = device or trial.where.device
    settings = (
        f"common.cpu={str(device == 'cpu').lower()} checkpoint.save_dir={name} "
        f"optimization.max_update={trial.where.updates} {PRECISIONS[device][precision]} {settings}"
    )
    spell, command = flags, "fairseq-train"
    if precision == "bf16":
        spell, command = overrides, "fairseq-hydra-train"
    output = trial.run(command, *spell(case, trial.where.data, settings), **options)
    lines = re.findall(r"train_inner\b.*?(\{.*\})\s*$", output, re.MULTILINE)
    logged = [entry for entry in map(json.loads, lines) if "loss" in entry]
    losses = {int(entry["num_updates"]): float(entry["loss"]) for entry in logged}
    bad = [update for update, loss in losses.items() if not math.isfinite(loss)]
    trial.expect(bool(losses), "no loss was logged")
    trial.expect(not bad, f"the loss of updates {bad[:5]} is no number")
    return losses


def last(trial: Trial, name: str) -> Path:
    """The checkpoint that a run ends with."""
    return trial.folder / name / "checkpoint_last.pt"


def trains_and_resumes(trial: Trial, case: Case, precision: str) -> None:
    """Train, stop half-way, resume: as if never stopped; then validate and write."""
    resumes(trial, case, precision)
    validate(trial, case, "whole", precision)
    write(trial, case, "whole", precision)


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
    half = trial.where.updates // 2
    saving = f"checkpoint.save_interval_updates={half}"
    losses = train(trial, case, "whole", precision, saving, **options)
    middle = next((trial.folder / "whole").glob(f"checkpoint_*_{half}.pt"), None)
    trial.expect(max(losses, default=0) == trial.where.updates, f"{max(losses, default=0)} updates")
    if losses:
        trial.figures["loss"] = [losses[min(losses)], losses[max(losses)]]
    if middle is None:
        raise Stopped("there is nothing to resume from")
    resumed = last(trial, "resumed")
    resumed.parent.mkdir()
    shutil.copy(middle, resumed)
    again = train(trial, case, "resumed", precision, **options)
    compare_runs(trial, precision, losses, again, half)
    same = trial.measure(COMPARE, last(trial, "whole"), resumed)
    trial.figures["resumed"] = same
    trial.expect(same["finite"], "a weight is no number")


def compare_runs(
    trial: Trial, precision: str, one: dict[int, float], other: dict[int, float], after: int = 0
) -> None:
    """Expect the same losses, as far as arithmetic in another order leaves them the same."""
    common = [update for update in sorted(one.keys() & other.keys()) if update > after]
    if not common:
        trial.expect(False, "the runs have no update in common")
        return
    apart = [abs(one[update] - other[update]) / abs(one[update]) for update in common]
    # A run that goes on elsewhere is off at once; later, differences grow by themselves.
    trial.figures["losses_apart"] = max(apart)
    trial.expect(
        apart[0] <= NEAR[precision] and max(apart) <= 5 * NEAR[precision],
        f"losses are apart by {apart[0]:.2e} in update {common[0]}, at most by {max(apart):.2e}",
    )


def validate(
    trial: Trial, case: Case, name: str, precision: str, device: str | None = None
) -> float:
    """The validation loss of a run's last checkpoint, which has to be a number."""
    arguments = _evaluation(trial, case, name, precision, device)
    if case.task == "rmt_language_modeling":
        output = trial.run("fairseq-eval-lm", *arguments, "--gen-subset", "valid")
        found = re.findall(r"Loss \(base 2\): (\S+),", output)
    else:
        arguments += spelled(part_of(case.settings, "dataset"))
        # Otherwise fairseq leaves out the last rows.
        arguments += ["--required-batch-size-multiple", "1", "--log-format", "simple"]
        output = trial.run("fairseq-validate", *arguments, "--criterion", case.criterion)
        found = re.findall(r"\bloss ([-\w.]+)", output)
    loss = float(found[-1]) if found else math.nan
    trial.figures[f"valid_loss_{device or trial.where.device}"] = loss
    trial.expect(math.isfinite(loss), f"the validation loss is {loss}")
    return loss


def write(
    trial: Trial, case: Case, name: str, precision: str, device: str | None = None
) -> dict[int, tuple[float, str]]:
    """What beam search writes, by number, with scores; nothing for models that do not write."""
    arguments = _evaluation(trial, case, name, precision, device)
    if case.task == "translation":
        batch = ["--beam", 3, "--batch-size", 5, "--required-batch-size-multiple", 1]
        output, expected = trial.run("fairseq-generate", *arguments, *batch), 12
    elif case.task == "rmt_language_modeling":
        # More than a segment, so that memory is handed on before anything is written.
        text = " ".join(f"w{number}" for number in range(40)) + "\nw7 w8\n"
        more = ["--beam", 2, "--max-len-b", 80, "--batch-size", 1]
        output, expected = trial.run("fairseq-interactive", *arguments, *more, input=text), 2
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
    trial: Trial, case: Case, name: str, precision: str, device: str | None
) -> list[str]:
    on_cpu = (device or trial.where.device) == "cpu"
    # Other precisions are evaluated in float32.
    where = ["--cpu"] if on_cpu else ["--fp16"] if precision == "fp16" else []
    return [
        *evaluation_flags(case, trial.where.data), "--path", str(last(trial, name)), *where
    ]  # fmt: skip


def two_ways(
    trial: Trial,
    case: Case,
    one: str,
    other: str,
    precision: str = "float32",
    criterion: str = "",
    updates: int = 20,
    **options: Any,
) -> None:
    """Train in two ways that compute the same: the losses are the same.

    The runs are ``one`` and ``other``, each with its settings; the latter has its criterion, if one
    is given, and the ``options`` of `train`.
    """
    few = f"optimization.max_update={min(trial.where.updates, updates)}"
    first = train(trial, case, "one", precision, f"{few} {one}")
    case = case._replace(criterion=criterion or case.criterion)
    second = train(trial, case, "other", precision, f"{few} {other}", **options)
    compare_runs(trial, precision, first, second)


def as_on_the_cpu(trial: Trial, case: Case) -> None:
    """The same losses, and from the same weights the same texts, on GPU and CPU in float32."""
    two_ways(trial, case, NO_DROPOUT, NO_DROPOUT, updates=10, device="cpu")
    devices = trial.where.device, "cpu"
    here, cpu = (validate(trial, case, "one", "float32", device) for device in devices)
    trial.expect(
        abs(here - cpu) <= 2e-3 * abs(cpu),
        f"validation losses are apart: {here} and, on the CPU, {cpu}",
    )
    texts = [write(trial, case, "one", "float32", device) for device in devices]
    if texts[0]:
        pairs = [(texts[0][number], texts[1][number]) for number in texts[0].keys() & texts[1]]
        scores = [abs(one[0] - other[0]) for one, other in pairs if one[1] == other[1]]
        trial.figures["same_texts"] = [len(scores), len(pairs)]
        # Two hypotheses may be so near that rounding decides.
        enough = len(scores) >= 0.8 * len(pairs)
        trial.expect(enough, f"{len(scores)} of {len(pairs)} texts are the CPU's")
        trial.figures["scores_apart"] = apart = max(scores, default=0.0)
        trial.expect(apart <= 1e-2, f"scores of the same texts are apart by {apart:.2e}")


def wrap_in_ddp() -> None:
    """Let fairseq wrap the model although there is one process, for which it sees no need."""
    from fairseq.trainer import Trainer

    Trainer.use_distributed_wrapper = property(lambda trainer: True)


def distributed(trial: Trial, case: Case, backend: str) -> None:
    """One process in a group of NCCL (of gloo on a CPU): the losses of a process without one."""
    nccl = "nccl" if trial.where.device == "cuda" else "gloo"
    group = (
        "distributed_training.distributed_world_size=1 distributed_training.distributed_rank=0 "
        "distributed_training.distributed_no_spawn=true "
        "distributed_training.distributed_init_method=env:// "
        f"distributed_training.distributed_backend={nccl} "
        f"distributed_training.ddp_backend={backend}"
    )
    two_ways(trial, case, "", group, prepare=wrap_in_ddp, workers=1)
    trial.figures["weights"] = trial.measure(COMPARE, last(trial, "one"), last(trial, "other"))


def two_workers(trial: Trial, case: Case) -> None:
    """Two workers of gloo on one device, beside one worker that takes two batches an update."""
    twice = f"{NO_DROPOUT} optimization.update_freq=[2]"
    gloo = f"{NO_DROPOUT} distributed_training.distributed_backend=gloo"
    two_ways(trial, case, twice, gloo, workers=2)
