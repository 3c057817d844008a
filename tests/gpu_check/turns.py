"""Models that take turns on a device: how fast, and how much memory, one beside the other.

Precisions are ``tf32`` (float32, products in TensorFloat-32 where the GPU has it), ``amp`` (weights
of float32, autocast to bfloat16), ``bf16`` and ``fp16`` (weights of it).
"""

import gc
import statistics
import time
from typing import Any, Callable, Iterator

import torch
from benchmarks.peak_memory import Peak
from benchmarks.turns import compare, take_turns
from torch import Tensor, nn

MOST_ROUNDS = 30


class Training:
    """A model that is trained, with Adam in one kernel.

    Args:
        model: on its device.
        loss: of a batch, with gradients.
        tokens: of that batch.
        precision: one of those above.
    """

    def __init__(
        self, model: nn.Module, loss: Callable[[], Tensor], tokens: int, precision: str
    ) -> None:
        self.model, self.loss, self.tokens = in_precision(model, precision), loss, tokens
        self.device = next(model.parameters()).device.type
        self.precision = precision
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-6, eps=1e-4, fused=True)

    def __call__(self) -> int:
        """One step; how many tokens it was of. No gradient is left, to show in the peak."""
        self.model.train()
        with computing(self.device, self.precision):
            loss = self.loss()
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return self.tokens


def in_precision(model: nn.Module, precision: str) -> nn.Module:
    """The model with weights of a precision."""
    return model.to({"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32))


def computing(device: str, precision: str) -> Any:
    """Where a forward pass of this precision is made."""
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    return torch.autocast(device, torch.bfloat16, enabled=precision == "amp")


def side_by_side(
    works: dict[str, Callable[[], int]], device: str, seconds: float
) -> Iterator[dict[str, Any]]:
    """Tokens a second and peak of memory of each piece of work, each beside the first of them.

    The peak is what is added to what is held before. Who runs out of memory or fails is said to
    have, and the others go on. After every piece of news comes all that is known.

    Args:
        works: by name; each does its work and returns how many tokens it was of.
        device: where.
        seconds: for the rounds of all.
    """
    found: dict[str, Any] = {}
    taken = {}
    for name, work in works.items():
        try:
            _speed(work, device)
            with Peak(device) as peak:
                start = time.perf_counter()
                speed = _speed(work, device)
            taken[name] = time.perf_counter() - start
            found[name] = {"tokens_per_second": round(speed), "peak_mib": round(peak.mebibytes)}
        except torch.OutOfMemoryError:
            found[name] = {"problem": "out of memory"}
        except Exception as error:
            found[name] = {"problem": f"{type(error).__name__}: {str(error)[:200]}"}
        if device != "cpu":
            gc.collect()
            torch.cuda.empty_cache()
        yield found
    rounds = min(MOST_ROUNDS, max(1, round(seconds / max(sum(taken.values()), 1e-3))))
    turns = {name: lambda round_, name=name: _speed(works[name], device) for name in taken}
    speeds = take_turns({"": turns}, rounds)[""]
    first = next(iter(speeds), "")
    for name, of in speeds.items():
        of_rounds = sorted(of)
        middle = of_rounds[rounds // 4], of_rounds[-1 - rounds // 4]
        found[name] |= {
            "tokens_per_second": round(statistics.median(of)),
            "middle_half": [round(speed) for speed in middle],
            "rounds": rounds,
        }
        if name != first:
            found[name][f"of {first}"] = compare(of, speeds[first])
    yield found


def _speed(work: Callable[[], int], device: str) -> float:
    """Tokens a second."""
    start = time.perf_counter()
    tokens = work()
    if device != "cpu":
        torch.cuda.synchronize()
    return tokens / (time.perf_counter() - start)


def table(title: str, found: dict[str, Any]) -> list[str]:
    """For people, a line each."""
    lines = [f"{title:36}{'tokens/s (middle half)':>34}{'peak MiB':>10}   beside the first"]
    for name, row in found.items():
        if "tokens_per_second" not in row:
            lines.append(f"  {name:34}  {row['problem']}")
            continue
        middle = " to ".join(f"{speed:,}" for speed in row.get("middle_half", []))
        speed = f"{row['tokens_per_second']:,}" + (f" ({middle})" if middle else " (one step)")
        line = f"  {name:34}{speed:>34}{row['peak_mib']:>10,}"
        ratio = next((value for key, value in row.items() if key.startswith("of ")), None)
        if ratio:
            low, high = ratio["ratio_middle_half"]
            line += f"   {ratio['ratio']:.2f} ({low:.2f} to {high:.2f})"
        lines.append(line)
    return lines
