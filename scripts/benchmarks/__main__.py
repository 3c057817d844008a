"""Speed of the memory transformers, side by side with fairseq's own.

Launch: ``bash scripts/benchmarks/run.sh NAME [--json FILE]`` with one of the names

``translation``
    `mem_transformer` against `transformer`: training and beam search.
``language_model``
    `rmt_lm` against `transformer_lm`: training and writing; and, with ``--published PATH``,
    against the code that was published with the paper.
``long_documents``
    `gmat_roberta` against `roberta`, Longformer, BigBird and ModernBERT: time and memory of a
    training step.
``fairseq_commands``
    ``fairseq-train`` and ``fairseq-generate`` of the first two, by what they log themselves, in
    float32 and bfloat16.
``costs``
    what a training step costs as segments, memory, length, streams and workers grow.

Times are noisy, so the models take turns, and medians and ratios are what to quote.
"""

import argparse
import json
from pathlib import Path

from fairseq_memtx.written_aside import written_aside

from . import costs, fairseq_commands, language_model, long_documents, translation
from .turns import SEED, machine

BENCHMARKS = {
    "translation": translation,
    "language_model": language_model,
    "long_documents": long_documents,
    "fairseq_commands": fairseq_commands,
    "costs": costs,
}


def main() -> None:
    """Run the benchmark named on the command line."""
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__.split("\n", 1)[0])
    names = parser.add_subparsers(dest="benchmark", required=True)
    for name, benchmark in BENCHMARKS.items():
        flags = names.add_parser(name, help=benchmark.__doc__.split("\n", 1)[0])
        flags.add_argument("--rounds", type=int, default=40, help="turns of each model")
        flags.add_argument("--json", type=Path, metavar="FILE", help="write the result here too")
        benchmark.add_flags(flags)
    arguments = parser.parse_args()
    benchmark = BENCHMARKS[arguments.benchmark]
    result = {
        "benchmark": arguments.benchmark,
        "rounds": arguments.rounds,
        "seed": SEED,
        "machine": machine(),
        **benchmark.measure(arguments),
    }
    print(", ".join(f"{name} {value}" for name, value in result["machine"].items()))
    print(benchmark.table(result))
    if arguments.json:
        with written_aside(arguments.json) as (partial,):
            partial.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
