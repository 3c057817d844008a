"""What grows in the benchmark of costs, and what the cost should be made of.

Sizes are those of the other benchmarks: language models and translation as in `language_model` and
`translation`, documents as in `long_documents`.
"""

import time
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, Callable, NamedTuple

import torch

from . import language_model, translation
from .language_model import LanguageModel
from .long_document_models import OURS
from .long_document_models import Sizes as DocumentSizes
from .long_documents import Training
from .peak_memory import Peak
from .turns import SEED, Learner, System, next_tokens

Setting = dict[str, int]


@dataclass(frozen=True)
class Sweep:
    """One quantity that grows while all others stay."""

    grows: str  # in words, with its letter
    letter: str
    values: tuple[int, ...]
    formula: str  # what a step costs by the paper, in letters
    terms: Callable[[int], list[float]]  # of the formula, to be fitted; beside a constant
    work: Callable[[int], "Work | Training"]


class Work(NamedTuple):
    """Training steps of a language model or a translator, built where first called."""

    family: str  # of `FAMILIES`
    segments: int = 1  # S, of a window
    segment: int = 128  # T
    memory: int = 10  # M
    streams: int = 4  # B
    tiny: bool = False

    def step(self) -> float:
        """One training step; how many milliseconds it took."""
        learner, batch = _built(self)
        start = time.perf_counter()
        learner.training(batch)
        return 1000 * (time.perf_counter() - start)

    def peak(self) -> float:
        """MiB that the first training step adds at its highest; Adam's means are among them.

        A later one finds what the first has fetched from the system, and adds nothing.
        """
        _built(self)
        with Peak("cpu") as peak:
            self.step()
        return peak.mebibytes


FAMILIES = {
    "rmt": "--arch rmt_lm --memory-tokens {memory}",
    "armt": "--arch armt_lm --backbone transformer-xl --memory-tokens {memory}",
}


@lru_cache(maxsize=1)  # each has a process of its own
def _built(work: Work) -> tuple[Learner, dict[str, Any]]:
    torch.manual_seed(SEED)
    numbers = torch.Generator().manual_seed(SEED)
    if work.family == "translation":
        model = translation.MODELS["mem_transformer"].replace("10", str(work.memory))
        learner: System = translation.Translator(model)
        tokens = translation.TINY_TOKENS if work.tiny else translation.MAX_TOKENS
        return learner, translation.make_batches(learner.task, 1, tokens)[0]
    sizes = replace(
        language_model.TINY if work.tiny else language_model.Sizes(), segment=work.segment
    )
    flags = f"{FAMILIES[work.family]} {language_model.SHAPE}"
    learner = LanguageModel(sizes.vocabulary, flags.format(**asdict(sizes), memory=work.memory))
    shape = work.streams, work.segments * work.segment + 1
    return learner, next_tokens(torch.randint(4, sizes.vocabulary, shape, generator=numbers))


def sweeps(tiny: bool) -> dict[str, Sweep]:
    """By name; tiny ones take a moment and say nothing."""
    base = Work("rmt", tiny=tiny, **({"segment": 8, "streams": 2, "memory": 2} if tiny else {}))
    documents = DocumentSizes(**({"layers": 1, "channels": 16, "ffn_channels": 32, "chunk": 8,
                                  "heads": 2, "memory_tokens": 2} if tiny else {}))  # fmt: skip
    length = 64 if tiny else 4096

    def some(*values: int) -> tuple[int, ...]:
        return values[:3] if tiny else values

    def rows(tokens: int, memory: int) -> list[float]:
        return [tokens + 2 * memory, (tokens + 2 * memory) ** 2]

    def document(tokens: int = length, memory: int = documents.memory_tokens) -> Training:
        sizes = replace(documents, memory_tokens=memory)
        return Training(OURS, sizes, tokens, 0.0, "cpu", bf16=False)

    m, t = base.memory, base.segment
    translated = Work("translation", tiny=tiny)
    return {
        "segments": Sweep(
            "segments of a window, `rmt_lm`", "S", some(1, 2, 4, 8), "S (a R + b R^2), R = T + 2M",
            lambda s: [s], lambda s: base._replace(segments=s),
        ),
        "armt-segments": Sweep(
            "segments of a window, `armt_lm`", "S", some(1, 2, 4, 8), "S (a R + b R^2), R = T + M",
            lambda s: [s], lambda s: base._replace(family="armt", segments=s),
        ),
        "memory-tokens": Sweep(
            "memory tokens, `rmt_lm`", "M", some(0, 10, 20, 40, 80), "a R + b R^2, R = T + 2M",
            lambda memory: rows(t, memory), lambda memory: base._replace(memory=memory),
        ),
        "segment-length": Sweep(
            "tokens of a segment, `rmt_lm`", "T", some(16, 32, 64, 128, 256),
            "a R + b R^2, R = T + 2M",
            lambda tokens: rows(tokens, m), lambda tokens: base._replace(segment=tokens),
        ),
        "streams": Sweep(
            "streams, `rmt_lm`", "B", some(1, 2, 4, 8, 16), "B (a R + b R^2)",
            lambda streams: [streams], lambda streams: base._replace(streams=streams),
        ),
        "translation": Sweep(
            "memory tokens, `mem_transformer`, sentences of N = 30", "M", some(0, 5, 10, 20, 40),
            "a (N + M) + b (N + M)^2 in the encoder",
            lambda memory: [30 + memory], lambda memory: translated._replace(memory=memory),
        ),
        "document-memory": Sweep(
            f"memory tokens, `gmat_roberta`, L = {length:,}", "M", some(16, 32, 64, 128, 256),
            "chunks + M (L + M)",
            lambda memory: [memory * (length + memory)],
            lambda memory: document(memory=memory),
        ),
        "document-length": Sweep(
            "tokens of a document, `gmat_roberta`, M = 64", "L",
            (32, 64, 128) if tiny else (1024, 2048, 4096, 8192, 16384), "L (c + M) + M^2",
            lambda tokens: [tokens], lambda tokens: document(tokens),
        ),
    }  # fmt: skip
