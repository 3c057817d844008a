"""Speed of the memory transformers, side by side with fairseq's own.

Launch: ``OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive python scripts/benchmark.py translation
[--json FILE]``

Times are noisy, so the two models take turns in one process, and medians and ratios are what to
quote. ``translation``: `mem_transformer` with 10 memory tokens and the plugin's criterion against
fairseq's `transformer` and ``label_smoothed_cross_entropy``, 3+3 layers, d 256, feed-forward 512,
vocabulary 8,000, sentences of about 30 tokens; training in target words/s, beam-5 generation in
sentences/s. A random model ends its sentences anywhere, so both are made to write as many words as
the source has.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path

import torch
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fairseq import options, tasks, utils
from fairseq.data import Dictionary, LanguagePairDataset
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

import fairseq_memtx  # noqa: F401

VOCABULARY = 8000
MAX_TOKENS = 2048  # target tokens a batch, padding included
SIZES = (
    "--share-all-embeddings --encoder-layers 3 --decoder-layers 3 --encoder-embed-dim 256 "
    "--decoder-embed-dim 256 --encoder-ffn-embed-dim 512 --decoder-ffn-embed-dim 512 "
    "--encoder-attention-heads 4 --decoder-attention-heads 4 --dropout 0.1 --label-smoothing 0.1"
)
MODELS = {
    "transformer": "--arch transformer --criterion label_smoothed_cross_entropy",
    "mem_transformer": (
        "--arch mem_transformer --memory-tokens 10 --criterion fused_label_smoothed_cross_entropy"
    ),
}


def main() -> None:
    """Run the benchmark named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("benchmark", choices=["translation"])
    parser.add_argument("--rounds", type=int, default=40, help="turns of each model")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result here too")
    arguments = parser.parse_args()
    result = translation(arguments.rounds)
    print(table(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def translation(rounds: int) -> dict:
    """Median speeds of both models and their ratios."""
    torch.manual_seed(1)
    systems = {name: System(flags) for name, flags in MODELS.items()}
    task = next(iter(systems.values())).task
    batches = make_batches(task, rounds + 1)
    sources = make_batches(task, rounds + 1, max_tokens=MAX_TOKENS // 4)  # 5 beams each

    speeds: dict[str, dict[str, list[float]]] = {"training": {}, "generation": {}}
    for round_ in tqdm(range(rounds + 1), desc="rounds", unit="round"):
        # Whoever comes first in a round finds the caches cold, so they take that in turns.
        order = list(systems) if round_ % 2 else list(systems)[::-1]
        for measure, batch in [("training", batches[round_]), ("generation", sources[round_])]:
            for name in order:
                speed = getattr(systems[name], measure)(batch)
                if round_:  # the first round warms up
                    speeds[measure].setdefault(name, []).append(speed)
    return {
        "benchmark": "translation",
        "rounds": rounds,
        "machine": machine(),
        **{measure: summary(of_model) for measure, of_model in speeds.items()},
    }


class System:
    """One model with its criterion, optimiser and generator."""

    def __init__(self, flags: str) -> None:
        parser = options.get_training_parser()
        arguments = f"unused --task translation -s de -t en {flags} {SIZES}".split()
        cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, arguments))
        self.task = tasks.TASK_REGISTRY["translation"](cfg.task, dictionary(), dictionary())
        self.model = self.task.build_model(cfg.model)
        self.criterion = self.task.build_criterion(cfg.criterion)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-4)
        self.generation_cfg = cfg.generation
        self.generation_cfg.beam = 5

    def training(self, batch: dict) -> float:
        """Target words a second of one update."""
        self.model.train()
        start = time.perf_counter()
        self.optimizer.zero_grad()
        loss, sample_size, _ = self.criterion(self.model, batch)
        (loss / sample_size).backward()
        utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return batch["ntokens"] / (time.perf_counter() - start)

    def generation(self, batch: dict) -> float:
        """Sentences a second of beam search."""
        self.model.eval()
        # As fairseq-generate does, where no alignment is asked for.
        for module in self.model.modules():
            if hasattr(module, "need_attn"):
                module.need_attn = False
        length = batch["net_input"]["src_tokens"].size(1)
        self.generation_cfg.update(max_len_a=0, max_len_b=length, min_len=length)
        generator = self.task.build_generator([self.model], self.generation_cfg)
        start = time.perf_counter()
        self.task.inference_step(generator, [self.model], batch)
        return batch["nsentences"] / (time.perf_counter() - start)


def dictionary() -> Dictionary:
    """A dictionary of `VOCABULARY` symbols."""
    words = Dictionary()
    for index in range(VOCABULARY - len(words)):
        words.add_symbol(f"word{index}")
    return words


def make_batches(task, count: int, max_tokens: int = MAX_TOKENS) -> list[dict]:
    """Random sentences of 20 to 40 tokens, batched by length as in training."""
    numbers = torch.Generator().manual_seed(1)
    batches = []
    for _ in range(count):
        middle = int(torch.randint(22, 39, (1,), generator=numbers))
        sentences = max_tokens // (middle + 2)
        texts = [
            [
                torch.cat([torch.randint(4, VOCABULARY, (length,), generator=numbers), eos])
                for length in torch.randint(middle - 2, middle + 2, (sentences,), generator=numbers)
            ]
            for eos in [torch.tensor([task.source_dictionary.eos()])] * 2
        ]
        pairs = LanguagePairDataset(
            texts[0], [len(t) for t in texts[0]], task.source_dictionary,
            texts[1], [len(t) for t in texts[1]], task.target_dictionary,
        )  # fmt: skip
        batches.append(pairs.collater([pairs[index] for index in range(sentences)]))
    return batches


def summary(speeds: dict[str, list[float]]) -> dict:
    """Median speeds, and the median of the ratios of each round."""
    ours, theirs = speeds["mem_transformer"], speeds["transformer"]
    ratios = sorted(a / b for a, b in zip(ours, theirs))
    quarter = len(ratios) // 4
    return {
        "transformer": statistics.median(theirs),
        "mem_transformer": statistics.median(ours),
        "ratio": statistics.median(ratios),
        "ratio_middle_half": [ratios[quarter], ratios[-1 - quarter]],
    }


def machine() -> dict:
    """What the numbers depend on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "fairseq": importlib.metadata.version("ve-fairseq"),
    }


def table(result: dict) -> str:
    """The result for people."""
    lines = [f"{'':12}{'transformer':>14}{'mem_transformer':>18}{'ratio':>8}   middle half"]
    for measure, unit in [("training", "words/s"), ("generation", "sentences/s")]:
        row = result[measure]
        low, high = row["ratio_middle_half"]
        lines.append(
            f"{measure:12}{row['transformer']:14.1f}{row['mem_transformer']:18.1f}"
            f"{row['ratio']:8.3f}   {low:.3f} to {high:.3f}   {unit}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
