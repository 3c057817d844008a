"""The effects of the papers that a quarter of an hour of a GPU can show, by fairseq's commands.

Each is a training by the recipe of `examples`, which ends when its time is over; so all can run at
once, beside the checks, and what is found says how many updates there were.
"""

import json
import os
import re
import shlex
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

from .cases import PLUGIN
from .trial import Trial

EXAMPLES = PLUGIN.parent / "examples"
# Seconds that are kept for the last validation, and for the translations of a test set.
VALIDATING, TRANSLATING = 20, 90
MEMORIES = (0, 10, 20, 5)  # M of translation; 0 is fairseq's transformer
# Copy, as in the paper: 24 symbols, nine segments of eight; M or the cache have a segment's size.
COPYING = {
    "RMT, M=8": "--memory-tokens 8",
    "Transformer-XL, cache 8": "--memory-tokens 0 --cache-length 8",
}
COPY = "--sequence-length 24 --segments 9 --batch-size 64 --max-update 100000"
COPY += " --validate-interval-updates 500"
# Four times the batch of a CPU's recipe, which a GPU reads in the same time, and a third of the
# updates: four such trainings at once, beside the checks, make eight a second each.
MULTI30K = "--max-tokens 4096 --lr 1e-3 --max-update 1000 --total-num-update 1000"


def effects(device: str, quick: bool, multi30k: Path | None) -> list[Trial]:
    """Trainings, those first that are wanted most."""
    few = " --sequence-length 4 --segments 3 --max-update 4 --valid-size 32" if quick else ""
    few += " --cpu" if device == "cpu" else ""
    found = [
        Trial(
            f"copy, 24 symbols, 9 segments: {name}", partial(copy, flags=f"{COPY} {of}{few}"), 600
        )
        for name, of in list(COPYING.items())[: 1 if quick else None]
    ]
    if multi30k is not None:
        found += [
            Trial(f"Multi30k, M={memory}, seed {seed}",
                  partial(translate, data=multi30k.resolve(), memory=memory, seed=seed), 600)
            for seed in (1, 2, 3) for memory in MEMORIES
        ]  # fmt: skip
    return found


def copy(trial: Trial, flags: str) -> None:
    """Copy, and report the validations: how many symbols and whole answers are right."""
    try:
        _train(trial, "algorithmic/train.sh", "copy", "copying", *flags.split(), "--seed", "1")
    finally:
        trial.figures = _of_validations(trial.said, "accuracy", "exact_match")


def translate(trial: Trial, data: Path, memory: int, seed: int) -> None:
    """Train on Multi30k, and report the validations and BLEU of the test set of 2016."""
    model = "tokens" if memory else "baseline"
    sizes = ["--memory-tokens", str(memory)] if memory else []
    more = [*sizes, *MULTI30K.split(), "--seed", str(seed)]
    if trial.where.device == "cpu":
        more.append("--cpu")
    try:
        _train(trial, "translation/train.sh", "multi30k", model, "translation", *more, data=data)
    finally:
        trial.figures = _of_validations(trial.said, "nll_loss", "ppl")
    output = trial.run(
        "fairseq-generate", data, "--user-dir", PLUGIN, "-s", "de", "-t", "en", "--beam", 5,
        "--path", trial.folder / "translation/checkpoint_last.pt", "--remove-bpe",
        "--tokenizer", "moses", "--max-tokens", 12000, "--required-batch-size-multiple", 1,
        *(["--cpu"] if trial.where.device == "cpu" else []),
    )  # fmt: skip
    found = re.findall(r"^D-(\d+)\t\S+\t(.*)$", output, re.MULTILINE)
    texts = [text for _, text in sorted(found, key=lambda row: int(row[0]))]
    references = (data / "raw/test.en").read_text(encoding="utf-8").splitlines()
    trial.expect(len(texts) == len(references), f"{len(texts)} of {len(references)} translations")
    if len(texts) == len(references):
        import sacrebleu

        trial.figures["bleu"] = round(sacrebleu.corpus_bleu(texts, [references]).score, 2)


def _train(trial: Trial, script: str, *arguments: str, data: Path | None = None) -> None:
    """Run what a script of the examples would run, until the time is nearly over."""
    printed = {**os.environ, "PRINT_ONLY": "1", **({"DATA": str(data)} if data else {})}
    line = subprocess.run(
        ["bash", EXAMPLES / script, *arguments],
        env=printed, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    kept = TRANSLATING if data else VALIDATING
    left = trial.deadline - time.monotonic() - kept
    more = ["--log-format", "json", "--num-workers", "0", "--log-interval", "100",
            "--stop-time-hours", f"{max(left, 1) / 3600:.6f}"]  # fmt: skip
    trial.run(*shlex.split(line), *more)


def _of_validations(output: str, *names: str) -> dict[str, Any]:
    """What the last validation found, and all of them by their updates."""
    lines = map(json.loads, re.findall(r"\| valid \| (\{.*\})\s*$", output, re.MULTILINE))
    curve = {
        line["valid_num_updates"]: {name: float(line[f"valid_{name}"]) for name in names}
        for line in lines
    }
    if not curve:
        return {}
    updates, last = list(curve.items())[-1]
    return {"updates": int(updates), **last, "curve": curve}
