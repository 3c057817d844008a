"""What the benchmarks share: models that take turns, and what is made of their times."""

import importlib.metadata
import os
import platform
import re
import statistics
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Callable

import torch
from fairseq import options, tasks, utils
from fairseq.data import Dictionary
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from torch import Tensor, nn
from tqdm import tqdm

import fairseq_memtx.models  # noqa: F401
from fairseq_memtx.data.facts.vocabulary import dictionary_of
from fairseq_memtx.flags.cpu_precision import instructions

SEED = 1


class Learner(ABC):
    """A model and its optimiser. Subclasses say what the loss is."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-4)

    @abstractmethod
    def loss(self, batch: dict[str, Any]) -> Tensor:
        """Loss of a batch, a token's mean."""

    def training(self, batch: dict[str, Any]) -> float:
        """Target tokens a second of one update."""
        self.model.train()
        start = time.perf_counter()
        self.optimizer.zero_grad()
        self.loss(batch).backward()
        utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return batch["ntokens"] / (time.perf_counter() - start)


class System(Learner):
    """A model that fairseq knows, by flags of ``fairseq-train``, with its task and criterion."""

    def __init__(self, task: str, vocabulary: int, flags: str) -> None:
        parser = options.get_training_parser()
        arguments = options.parse_args_and_arch(parser, f"unused --task {task} {flags}".split())
        self.cfg = convert_namespace_to_omegaconf(arguments)
        words = dictionary(vocabulary)
        self.task = tasks.TASK_REGISTRY[task](self.cfg.task, words, words)
        super().__init__(self.task.build_model(self.cfg.model))
        self.criterion = self.task.build_criterion(self.cfg.criterion)

    def loss(self, batch: dict[str, Any]) -> Tensor:
        """That of the criterion."""
        loss, sample_size, _ = self.criterion(self.model, batch)
        return loss / sample_size


def a_batch_a_round(
    function: Callable[[dict[str, Any]], float], batches: list[dict[str, Any]]
) -> Callable[[int], float]:
    """``function`` of the round's batch."""
    return lambda round_: function(batches[round_])


def take_turns(
    measures: dict[str, dict[str, Callable[[int], float]]], rounds: int
) -> dict[str, dict[str, list[float]]]:
    """Measure every model once a round, after a round that warms up.

    ``measures`` has, by measure and model, what gives a speed from the number of the round; what
    comes back is the speed of every round.
    """
    speeds = {measure: {name: [] for name in of} for measure, of in measures.items()}
    for round_ in tqdm(range(rounds + 1), desc="rounds", unit="round", leave=False):
        for measure, functions in measures.items():
            # Whoever comes first in a round finds the caches cold, so they take that in turns.
            order = list(functions) if round_ % 2 else list(functions)[::-1]
            for name in order:
                speed = functions[name](round_)
                if round_:
                    speeds[measure][name].append(speed)
    return speeds


def told(comparison: dict[str, Any], digits: int = 3) -> str:
    """A ratio and its spread, with the bracket left open."""
    ratio, low, high = (
        f"{of:.{digits}f}" for of in (comparison["ratio"], *comparison["ratio_middle_half"])
    )
    return f"{ratio} ({low} to {high}"


def compare(ours: list[float], theirs: list[float]) -> dict[str, Any]:
    """The median of the ratios of each round, and where the middle half of them lies."""
    ratios = sorted(a / b for a, b in zip(ours, theirs))
    quarter = len(ratios) // 4
    return {
        "ratio": statistics.median(ratios),
        "ratio_middle_half": [ratios[quarter], ratios[-1 - quarter]],
    }


def next_tokens(tokens: Tensor) -> dict[str, Any]:
    """A batch in which the next token is predicted, of ``B x (L + 1)`` tokens."""
    rows, length = len(tokens), tokens.size(1) - 1
    lengths = torch.full((rows,), length)
    return {
        "net_input": {"src_tokens": tokens[:, :-1], "src_lengths": lengths},
        "target": tokens[:, 1:].contiguous(),
        "ntokens": rows * length,
        "nsentences": rows,
    }


def dictionary(symbols: int) -> Dictionary:
    """A dictionary of this many symbols."""
    return dictionary_of([f"word{index}" for index in range(symbols - Dictionary().nspecial)])


def machine() -> dict[str, Any]:
    """What the numbers depend on; products are in float32 where nothing else is said."""
    return {
        "processor": _processor(),
        "instructions": " ".join(
            [torch.backends.cpu.get_cpu_capability(), *sorted(instructions())]
        ),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "precision": torch.get_float32_matmul_precision() + " float32",
        "torch": torch.__version__,
        "fairseq": importlib.metadata.version("ve-fairseq"),
    }


def _processor() -> str:
    """Its name, where Linux tells it."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        told = ""
    name = re.search(r"^model name\s*: (.*)", told, re.MULTILINE)
    return name[1] if name else platform.processor() or platform.machine()
