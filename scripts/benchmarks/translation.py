"""`mem_transformer` against fairseq's `transformer`: training and beam-5 generation.

The memory transformer has 10 memory tokens and the plugin's criterion, fairseq's model
``label_smoothed_cross_entropy``; 3+3 layers, d 256, feed-forward 512, vocabulary 8,000, sentences
of about 30 tokens; training in target words/s, generation in sentences/s. A random model ends its
sentences anywhere, so both are made to write as many words as the source has. The peak of memory is
what the first of either adds in a process of its own.
"""

import argparse
import statistics
import time
from functools import partial
from typing import Any

import torch
from fairseq.data import LanguagePairDataset

from .own_processes import in_own_process
from .peak_memory import Peak
from .turns import SEED, System, a_batch_a_round, compare, take_turns, told

VOCABULARY = 8000
MAX_TOKENS = 2048  # target tokens a batch, padding included
TINY_TOKENS = 160
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


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of this benchmark alone."""
    parser.add_argument("--tiny", action="store_true", help="sizes of a test, which say nothing")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Median speeds of both models and their ratios."""
    torch.manual_seed(SEED)
    rounds, tokens = arguments.rounds, TINY_TOKENS if arguments.tiny else MAX_TOKENS
    systems = {name: Translator(flags) for name, flags in MODELS.items()}
    task = systems["transformer"].task
    training = make_batches(task, rounds + 1, tokens)
    generation = make_batches(task, rounds + 1, tokens // 4)  # 5 beams each
    measures = {
        "training": {n: a_batch_a_round(of.training, training) for n, of in systems.items()},
        "generation": {n: a_batch_a_round(of.generation, generation) for n, of in systems.items()},
    }
    return {
        measure: {
            **{name: statistics.median(of_model) for name, of_model in speeds.items()},
            **compare(speeds["mem_transformer"], speeds["transformer"]),
            "mebibytes": {
                name: in_own_process(partial(peak, name, measure, tokens)) for name in MODELS
            },
        }
        for measure, speeds in take_turns(measures, rounds).items()
    }


def peak(name: str, measure: str, tokens: int) -> float:
    """MiB that training on a batch, or translating one, adds at its highest."""
    system = Translator(MODELS[name])
    (batch,) = make_batches(system.task, 1, tokens // (1 if measure == "training" else 4))
    with Peak("cpu") as held:
        getattr(system, measure)(batch)
    return held.mebibytes


class Translator(System):
    """One model with its generator, by flags of the model and its criterion."""

    def __init__(self, flags: str) -> None:
        super().__init__("translation", VOCABULARY, f"-s de -t en {flags} {SIZES}")
        self.cfg.generation.beam = 5

    def generation(self, batch: dict[str, Any]) -> float:
        """Sentences a second of beam search."""
        self.model.eval()
        # As fairseq-generate does, where no alignment is asked for.
        for module in self.model.modules():
            if hasattr(module, "need_attn"):
                module.need_attn = False
        length = batch["net_input"]["src_tokens"].size(1)
        self.cfg.generation.update(max_len_a=0, max_len_b=length, min_len=length)
        generator = self.task.build_generator([self.model], self.cfg.generation)
        start = time.perf_counter()
        self.task.inference_step(generator, [self.model], batch)
        return batch["nsentences"] / (time.perf_counter() - start)


def make_batches(task: Any, count: int, max_tokens: int) -> list[dict[str, Any]]:
    """Random sentences of 20 to 40 tokens, batched by length as in training."""
    numbers = torch.Generator().manual_seed(SEED)
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


def table(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = [f"{'':12}{'transformer':>14}{'mem_transformer':>18}   ratio (middle half)"]
    for measure, unit in [("training", "words/s"), ("generation", "sentences/s")]:
        row = result[measure]
        speeds = f"{row['transformer']:14.1f}{row['mem_transformer']:18.1f}"
        held = " and ".join(f"{mebibytes:.0f}" for mebibytes in row["mebibytes"].values())
        lines.append(f"{measure:12}{speeds}   {told(row)}) {unit}; {held} MiB")
    return "\n".join(lines)
