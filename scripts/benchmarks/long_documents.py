"""`gmat_roberta` on long documents, beside dense RoBERTa, Longformer, BigBird and ModernBERT.

Encoders of 2 layers, d 256, feed-forward 1,024, 4 heads, without a head: chunks of 512 tokens and
64 memory tokens; fairseq's RoBERTa, dense; and from Hugging Face's ``transformers`` Longformer
(window 512, 64 global tokens), BigBird (blocks of 64, 3 random ones) and ModernBERT (local layers
of 128 tokens, each third one global). One document a batch.

Measured at every length, with dropout 0 and 0.1 (of layers and of attention weights), every model
in a process of its own: the time of a training step (forward, backward, Adam), all models in turns,
and its peak of memory, less what the process held before the step. Dense attention with dropout
keeps its scores; where they would not fit into the machine it is left out.

``--one-process`` times all models in one process, where they share what the allocator has fetched.

Besides, one forward pass of ours over a document of 65,536 tokens.
"""

import argparse
import logging
import os
import statistics
import time
from dataclasses import asdict, replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from fairseq_memtx.errors import MemtxError

from .long_document_models import BIGBIRD, DENSE, LONGFORMER, MODELS, OURS, Sizes, build
from .own_processes import in_own_process, times_of
from .peak_memory import Peak
from .turns import SEED, compare, told

# At a length, how many times faster than whom we want to be; the dense model from 2,048 on.
TARGETS = {LONGFORMER: (4096, 3.0), BIGBIRD: (4096, 1.5), DENSE: (2048, 1.0)}
GROWTH_FROM, GROWTH_TARGET = 4096, 2.2

TINY = Sizes(
    lengths=(32, 64), dropouts=(0.1,), longest=128, vocabulary=30, channels=16, ffn_channels=32,
    heads=2, chunk=8, memory_tokens=2, block=2,
)  # fmt: skip


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of this benchmark alone."""
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--lengths", nargs="+", type=int, metavar="L", help="measure these alone")
    yes: dict[str, Any] = {"action": "store_true"}
    parser.add_argument("--one-process", help="time all models in one process", **yes)
    parser.add_argument("--device", default="cpu", help="such as cuda (default: cpu)")
    parser.add_argument("--bf16", help="compute in bfloat16 where torch's autocast does so", **yes)
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw time and memory here")
    parser.add_argument("--tiny", help="sizes of a test, which say nothing", **yes)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds and MiB of a training step, by dropout, length and model."""
    sizes = TINY if arguments.tiny else Sizes()
    if arguments.lengths:
        sizes = replace(sizes, lengths=tuple(arguments.lengths))
    device, bf16 = arguments.device, arguments.bf16
    result: dict[str, Any] = {
        "sizes": asdict(sizes),
        "device": "cpu" if device == "cpu" else torch.cuda.get_device_name(),
        "one_process": arguments.one_process,
    }
    steps: dict[str, Any] = {}
    cases = [(dropout, length) for dropout in sizes.dropouts for length in sizes.lengths]
    for dropout, length in tqdm(cases, desc="lengths", unit="length"):
        trainings = {
            name: Training(name, sizes, length, dropout, device, bf16)
            for name in arguments.models
            if name != DENSE or fits(sizes, length, dropout, device)
        }
        # Long steps are less noisy, and there is time for fewer of them.
        rounds = max(1, min(arguments.rounds, arguments.rounds * 4096 // length))
        times = times_of(trainings, rounds, arguments.one_process)
        steps.setdefault(str(dropout), {})[str(length)] = {
            name: {
                "milliseconds": statistics.median(times[name]),
                "mebibytes": in_own_process(training.peak),
                **({} if name == OURS else {"speed_of_ours": compare(times[name], times[OURS])}),
            }
            for name, training in trainings.items()
        }
    result["steps"] = steps
    if OURS in arguments.models:
        result["growth"] = {dropout: growth(rows) for dropout, rows in steps.items()}
        longest = Training(OURS, sizes, sizes.longest, 0.0, device, bf16)
        result["longest"] = in_own_process(longest.only_forward)
    if arguments.picture:
        draw(result, arguments.picture)
    return result


class Training(NamedTuple):
    """A model that is trained on one document, built where a method is called first."""

    name: str  # one of `MODELS`
    sizes: Sizes
    length: int  # L, tokens of the document
    dropout: float  # of layers and attention weights
    device: str
    bf16: bool  # whether to compute in bfloat16

    def step(self) -> float:
        """One training step; how many milliseconds it took."""
        model, optimizer, tokens = built(self)
        self._wait()
        start = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            features = model(tokens)
        features.float().square().mean().backward()
        optimizer.step()
        self._wait()
        return 1000 * (time.perf_counter() - start)

    def peak(self) -> float:
        """MiB that a training step adds at its highest to what was held before it."""
        built(self)
        with Peak(self.device) as peak:
            self.step()
        return peak.mebibytes

    def only_forward(self) -> dict[str, float]:
        """Time and memory of a forward pass without gradients."""
        model, _, tokens = built(self)
        start = time.perf_counter()
        with (
            torch.no_grad(),
            torch.autocast(self.device, torch.bfloat16, enabled=self.bf16),
            Peak(self.device) as peak,
        ):
            assert model.eval()(tokens).isfinite().all()
        return {
            "tokens": self.length,
            "milliseconds": 1000 * (time.perf_counter() - start),
            "mebibytes": peak.mebibytes,
        }

    def _wait(self) -> None:
        if self.device != "cpu":
            torch.cuda.synchronize()


@lru_cache(maxsize=len(MODELS))  # all models of one length
def built(training: Training) -> tuple[nn.Module, torch.optim.Optimizer, Tensor]:
    """Model, optimiser and document, ``1 x L`` random tokens."""
    name, sizes, length, dropout, device, _ = training
    model = build(name, sizes, length, dropout).to(device).train()
    numbers = torch.Generator().manual_seed(SEED)
    tokens = torch.randint(4, sizes.vocabulary, (1, length), generator=numbers).to(device)
    return model, torch.optim.Adam(model.parameters(), lr=1e-4), tokens


def fits(sizes: Sizes, length: int, dropout: float, device: str) -> bool:
    """Whether a dense model's training step can be expected to fit into half of the machine.

    Without dropout fused attention keeps no scores. With it, three tensors of their size a layer.
    """
    if not dropout:
        return True
    needed = 3 * sizes.layers * sizes.heads * length**2 * 4
    if device == "cpu":
        return needed < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2
    return needed < torch.cuda.get_device_properties(0).total_memory / 2


def growth(rows: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """By how much a step of ours grows where the length doubles."""
    lengths = [int(length) for length in rows if OURS in rows[length]]
    found = []
    for short, long in zip(lengths, lengths[1:]):
        before, after = rows[str(short)][OURS], rows[str(long)][OURS]
        times = {what: after[what] / before[what] for what in ("milliseconds", "mebibytes")}
        found.append({"from": short, "to": long, **times})
    return found


def table(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = []
    for dropout, rows in result["steps"].items():
        lines.append(f"training step, dropout {dropout}")
        for length, name in product(rows, MODELS):
            if name not in rows[length]:
                continue
            at, ratio = rows[length][name], ""
            if "speed_of_ours" in at:
                ratio = f"   ours {told(at['speed_of_ours'], digits=2)})"
                since, times = TARGETS.get(name, (0, 0))
                if int(length) == since or (name == DENSE and int(length) >= since):
                    ratio += f" times as fast; target {times}"
            lines.append(
                f"  {length:>6} tokens  {name:14}{at['milliseconds']:10.0f} ms"
                f"{at['mebibytes']:9.0f} MiB{ratio}"
            )
    for dropout, steps in result.get("growth", {}).items():
        for step in steps:
            target = f"; target {GROWTH_TARGET}" if step["from"] >= GROWTH_FROM else ""
            lines.append(
                f"dropout {dropout}, {step['from']} to {step['to']} tokens: "
                f"{step['milliseconds']:.2f} times the time, {step['mebibytes']:.2f} times the "
                f"memory{target}"
            )
    if "longest" in result:
        at = result["longest"]
        lines.append(
            f"forward pass over {at['tokens']} tokens: {at['milliseconds'] / 1000:.1f} s, "
            f"{at['mebibytes']:.0f} MiB"
        )
    return "\n".join(lines)


def draw(result: dict[str, Any], path: Path) -> None:
    """Time and memory over the length, a line for every model."""
    try:
        from fairseq_memtx.pictures.figure import Figure, save
    except ImportError as cause:
        raise MemtxError("--picture needs matplotlib: pip install matplotlib") from cause
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # fairseq lets everybody talk
    figure = Figure(figsize=(9, 7), layout="constrained")
    axes = figure.subplots(2, len(result["steps"]), squeeze=False)
    for column, (dropout, rows) in enumerate(result["steps"].items()):
        for line, (what, unit) in enumerate([("milliseconds", "ms"), ("mebibytes", "MiB")]):
            axis = axes[line][column]
            for name in MODELS:
                points = [(int(n), row[name][what]) for n, row in rows.items() if name in row]
                if points:
                    axis.plot(*zip(*points), marker="o", label=name)
            axis.set(xscale="log", yscale="log", xlabel="tokens", ylabel=f"training step, {unit}")
            axis.set_xticks([int(n) for n in rows], list(rows))
            axis.minorticks_off()
            axis.set_title(f"dropout {dropout}")
            axis.grid(alpha=0.3)
    axes[0][0].legend()
    save(figure, path, 120)
