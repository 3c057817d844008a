"""Speed of the memory transformers, side by side with fairseq's own.

Launch: ``OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive python scripts/benchmark.py NAME
[--json FILE]`` with one of the names

``translation``
    `mem_transformer` against `transformer`: training and beam search.
``language_model``
    `rmt_lm` against `transformer_lm`: training and writing; and, with ``--published PATH``,
    against the code that was published with the paper.
``long_documents``
    `gmat_roberta` against `roberta`, Longformer and BigBird: time and memory of a training step.

Times are noisy, so the models take turns, and medians and ratios are what to quote.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import benchmark_language_model
import benchmark_long_documents
import benchmark_translation
from benchmark_turns import SEED, machine
from written_aside import written_aside

BENCHMARKS = {
    "translation": benchmark_translation,
    "language_model": benchmark_language_model,
    "long_documents": benchmark_long_documents,
}


def main() -> None:
    """Run the benchmark named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
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
    print(benchmark.table(result))
    if arguments.json:
        with written_aside(arguments.json) as (partial,):
            partial.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
