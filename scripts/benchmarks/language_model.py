"""`rmt_lm` and `armt_lm` against fairseq's `transformer_lm`: training, and writing a long text.

4 layers, d 256, feed-forward 1,024, 4 heads, vocabulary 208 (the bytes of a corpus), dropout 0.1,
float32, a full softmax.

Training: one segment of 128 tokens of each of 8 streams an update, memory handed on from update to
update; fairseq's model gets the same tokens as 8 rows of 128. A segment with memory has ``T + 2M``
rows for ``T`` tokens, so the target is 0.95 T / (T + 2M) of fairseq's speed. (`armt_lm` has ``T +
M``, and a memory in every layer, for which nothing is taken off.) The peak of memory is what an
update adds in a process of its own.

Writing: greedy, one text, token by token with fairseq's ``incremental_state``. What is measured are
the 128 tokens up to a length of the text, a whole segment with one write block; the text before
them is read beforehand. The cost of a token of ours is not to grow with the text.

``--published PATH`` trains the model of https://github.com/booydar/LM-RMT, checked out at PATH,
beside ours, with the same tokens; the target is twice its speed.
"""

import argparse
import copy
import statistics
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from fairseq_memtx.modules.state_holder import StateHolder

from .own_processes import in_own_process
from .peak_memory import Peak
from .published_rmt import PublishedRmt
from .turns import (
    SEED,
    Learner,
    System,
    a_batch_a_round,
    compare,
    next_tokens,
    take_turns,
    told,
)  # fmt: skip


@dataclass(frozen=True)
class Sizes:
    """What is measured, the same for all models."""

    vocabulary: int = 208
    layers: int = 4
    channels: int = 256
    ffn_channels: int = 1024
    heads: int = 4
    dropout: float = 0.1
    streams: int = 8
    segment: int = 128
    window_segments: int = 1
    memory_tokens: int = 10
    text_lengths: tuple[int, ...] = (256, 512, 4096)  # multiples of the segment


TINY = Sizes(
    layers=1, channels=16, ffn_channels=32, heads=2, streams=2, segment=8, memory_tokens=2,
    text_lengths=(16, 24, 40),
)  # fmt: skip

BASELINE, PUBLISHED = "transformer_lm", "published"
# Flags of every model, and those that all have in common; names in braces are `Sizes`.
MODELS = {
    BASELINE: "--arch transformer_lm",
    # fairseq's `transformer_lm` always has its norms before.
    "rmt_lm, transformer": "--arch rmt_lm --backbone transformer --decoder-normalize-before "
    "--memory-tokens {memory_tokens}",
    "rmt_lm, transformer-xl": "--arch rmt_lm --memory-tokens {memory_tokens}",
    "rmt_lm, transformer-xl, M=0": "--arch rmt_lm --memory-tokens 0",
    "armt_lm, transformer": "--arch armt_lm --backbone transformer --decoder-normalize-before "
    "--memory-tokens {memory_tokens}",
    "armt_lm, transformer-xl": "--arch armt_lm --memory-tokens {memory_tokens}",
}
SHAPE = (
    "--decoder-layers {layers} --decoder-embed-dim {channels} --decoder-ffn-embed-dim "
    "{ffn_channels} --decoder-attention-heads {heads} --dropout {dropout} --tokens-per-sample "
    "{segment} --max-target-positions {text_lengths[2]} --share-decoder-input-output-embed"
)
WRITERS = [BASELINE, "rmt_lm, transformer", "rmt_lm, transformer-xl"]
PUBLISHED_TARGET = 2.0


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of this benchmark alone."""
    parser.add_argument(
        "--published", type=Path, metavar="PATH", help="a checkout of github.com/booydar/LM-RMT"
    )
    parser.add_argument("--tiny", action="store_true", help="sizes of a test, which say nothing")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Median speeds of all models, and their ratios to fairseq's and to the published one."""
    torch.manual_seed(SEED)
    sizes, rounds = TINY if arguments.tiny else Sizes(), arguments.rounds
    names = [*MODELS, *([PUBLISHED] if arguments.published else [])]
    models = {name: build(name, sizes, arguments.published) for name in names}

    batches = make_batches(sizes, rounds + 1)
    measures = {
        "training": {name: a_batch_a_round(of.training, batches) for name, of in models.items()}
    }
    for name in WRITERS:
        for length, text in texts_before(models[name], sizes, name).items():
            measures.setdefault(str(length), {})[name] = partial(text.speed, sizes.segment)
    speeds = take_turns(measures, rounds)
    training = training_summary(speeds.pop("training"), sizes)
    for name, row in training.items():
        row["mebibytes"] = in_own_process(partial(peak, name, sizes, arguments.published))
    writing = {name: writing_summary(speeds, name) for name in WRITERS}
    return {"sizes": asdict(sizes), "training": training, "writing": writing}


def build(name: str, sizes: Sizes, published: Path | None) -> Learner:
    """A model of `MODELS`, or that of a checkout of the published code."""
    if name == PUBLISHED:
        return PublishedRmt(published, sizes)
    flags = f"{MODELS[name]} {SHAPE}".format(**asdict(sizes))
    return LanguageModel(sizes.vocabulary, flags)


def peak(name: str, sizes: Sizes, published: Path | None) -> float:
    """MiB that a model's first update adds at its highest to what was held before it."""
    model = build(name, sizes, published)
    (batch,) = make_batches(sizes, 1)
    with Peak("cpu") as held:
        model.training(batch)
    return held.mebibytes


class LanguageModel(System):
    """A language model; streams of one with memory go on with every batch."""

    def __init__(self, vocabulary: int, flags: str) -> None:
        ours = "rmt" in flags
        task = "rmt_language_modeling" if ours else "language_modeling"
        super().__init__(task, vocabulary, f"{flags} --criterion cross_entropy")
        self.inputs = {"holder": StateHolder()} if ours else {}

    def loss(self, batch: dict[str, Any]) -> Tensor:
        """That of the criterion, with the state that the last batch left."""
        return super().loss({**batch, "net_input": {**batch["net_input"], **self.inputs}})


class BegunText:
    """A text that a model is writing, from a first token that nobody has read yet."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model.model.eval()
        self.tokens = torch.tensor([[model.task.dictionary.eos()]])
        self.state: dict[str, Any] = {}

    @torch.no_grad()
    def write(self, count: int) -> None:
        """Read and write this many tokens, one by one."""
        for _ in range(count):
            logits, _ = self.model.decoder(self.tokens, incremental_state=self.state)
            self.tokens = torch.cat([self.tokens, logits[:, -1:].argmax(dim=-1)], dim=1)

    def copied(self) -> "BegunText":
        """The same text, by the same model."""
        text = copy.copy(self)
        text.state = copy.deepcopy(self.state)
        return text

    def speed(self, count: int, round_: int) -> float:
        """Tokens a second of this many more, which are not kept."""
        self.model.eval()
        text = self.copied()
        start = time.perf_counter()
        text.write(count)
        return count / (time.perf_counter() - start)


def texts_before(model: LanguageModel, sizes: Sizes, name: str) -> dict[int, BegunText]:
    """By length, the text that lacks a segment of it."""
    text = BegunText(model)
    texts = {}
    for start in tqdm(range(0, max(sizes.text_lengths), sizes.segment), desc=name, unit="segment"):
        if start + sizes.segment in sizes.text_lengths:
            texts[start + sizes.segment] = text.copied()
        text.write(sizes.segment)
    return texts


def make_batches(sizes: Sizes, count: int) -> list[dict[str, Any]]:
    """Consecutive segments of random streams."""
    numbers = torch.Generator().manual_seed(SEED)
    shape = sizes.streams, count * sizes.segment + 1
    streams = torch.randint(4, sizes.vocabulary, shape, generator=numbers)
    starts = range(0, count * sizes.segment, sizes.segment)
    return [next_tokens(streams[:, start : start + sizes.segment + 1]) for start in starts]


def training_summary(speeds: dict[str, list[float]], sizes: Sizes) -> dict[str, Any]:
    """By model, tokens a second; and how that compares."""
    rows = {name: {"tokens_per_second": statistics.median(of)} for name, of in speeds.items()}
    for name in speeds.keys() - {BASELINE, PUBLISHED}:
        memory = 0 if "M=0" in name else sizes.memory_tokens
        blocks = 1 if name.startswith("armt") else 2
        target = 0.95 * sizes.segment / (sizes.segment + blocks * memory)
        rows[name][BASELINE] = {**compare(speeds[name], speeds[BASELINE]), "target": target}
        if PUBLISHED in speeds and memory:
            ratio = compare(speeds[name], speeds[PUBLISHED])
            rows[name][PUBLISHED] = {**ratio, "target": PUBLISHED_TARGET}
    return rows


def writing_summary(speeds: dict[str, dict[str, list[float]]], name: str) -> dict[str, Any]:
    """By length of the text, speed and cost of a token; and how speed changes with the length."""
    row: dict[str, Any] = {}
    for length, of_model in speeds.items():
        median = statistics.median(of_model[name])
        row[length] = {"tokens_per_second": median, "milliseconds_per_token": 1000 / median}
        if name != BASELINE:
            row[length][BASELINE] = compare(of_model[name], of_model[BASELINE])
    *_, shorter, longest = speeds.values()
    row["longest_to_shorter"] = compare(longest[name], shorter[name])
    return row


def table(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = [f"{'training':30}{'tokens/s':>9}{'MiB':>7}   ratio (middle half; target)"]
    for name, row in result["training"].items():
        ratios = [
            f"{told(row[other])}; {row[other]['target']:.2f}) of {other}"
            for other in (BASELINE, PUBLISHED)
            if other in row
        ]
        speed = f"{row['tokens_per_second']:9.0f}{row['mebibytes']:7.0f}"
        lines.append(f"  {name:28}{speed}   {', '.join(ratios)}".rstrip())
    lengths = result["sizes"]["text_lengths"]
    for name, row in result["writing"].items():
        growth = told(row["longest_to_shorter"])
        lines += ["", f"{name}: speed at {lengths[-1]} to that at {lengths[-2]}: {growth})"]
        for length in lengths:
            at = row[str(length)]
            ratio = f"   {told(at[BASELINE])}) of {BASELINE}" if BASELINE in at else ""
            lines.append(
                f"  text of {length:<20}{at['tokens_per_second']:9.0f} tokens/s"
                f"{at['milliseconds_per_token']:8.2f} ms/token{ratio}"
            )
    return "\n".join(lines)
