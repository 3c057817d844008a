"""Translate with all memory tokens of a model, then with one less, and so on down to none.

    python scripts/memory_taken_away.py CHECKPOINT DATA FOLDER [--sentences N] [--beam N]

DATA is a folder that ``fairseq-memtx prepare translation`` wrote. FOLDER gets
memory-taken-away.jsonl, with BLEU and one translation a line, and memory-taken-away.png. The first
tokens are what is left.
"""

import argparse
import json
import logging
from itertools import islice
from pathlib import Path

from matplotlib.figure import Figure
from sacrebleu import corpus_bleu
from tqdm import tqdm

from fairseq_memtx.pictures.figure import save
from fairseq_memtx.written_aside import written_aside

NAME = "memory-taken-away"
WIDTH = 70  # characters of a translation
NEEDED = 20  # BLEU that a model loses without its memory, if it is said to need it


def main() -> None:
    """Measure, write, and say what was found."""
    logging.disable(logging.WARNING)  # each lesion would be told, and what fairseq does without
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("checkpoint", "data", "folder"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--sentences", type=int, default=200, help="of the test set")
    parser.add_argument("--beam", type=int, default=1)
    options = parser.parse_args()
    points = measure(options.checkpoint, options.data, options.sentences, options.beam)
    with written_aside(options.folder / f"{NAME}.jsonl") as (partial,):
        partial.write_text(
            "".join(f"{json.dumps(point, ensure_ascii=False)}\n" for point in points)
        )
    save(draw(points), options.folder / f"{NAME}.png", 120)
    for point in points:
        left, score, said = point.values()
        print(f"{left:4d} memory tokens  BLEU {score:6.2f}   {said[:WIDTH]}")
    print(verdict(points))


def measure(checkpoint: Path, data: Path, sentences: int, beam: int) -> list[dict]:
    """BLEU with every number of memory tokens, from all of them down."""
    model = load(checkpoint, data)
    languages = model.task.cfg.source_lang, model.task.cfg.target_lang
    source, reference = (
        list(islice((data / f"raw/test.{language}").open(encoding="utf-8"), sentences))
        for language in languages
    )
    points = []
    for count in tqdm(range(model.cfg.model.memory_tokens, -1, -1), unit="number"):
        model = load(checkpoint, data, memory_tokens=count)
        said = model.translate([line.strip() for line in source], beam=beam)
        score = corpus_bleu(said, [[line.strip() for line in reference]]).score
        points.append({"memory_tokens": count, "BLEU": round(score, 2), "translation": said[0]})
    return points


def load(checkpoint: Path, data: Path, **overrides: int):
    """A model with the first tokens of its memory."""
    from fairseq_memtx.models.mem_transformer import MemoryTransformerModel

    return MemoryTransformerModel.from_pretrained(
        str(checkpoint.parent),
        checkpoint.name,
        str(data.resolve()),
        tokenizer="moses",
        bpe="subword_nmt",
        bpe_codes=str(data / "bpecodes"),
        **overrides,
    )


def draw(points: list[dict]) -> Figure:
    """BLEU over the number of tokens."""
    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(
        [point["memory_tokens"] for point in points],
        [point["BLEU"] for point in points],
        marker="o",
    )
    axes.set(xlabel="memory tokens that are left", ylabel="BLEU", ylim=(0, 100))
    axes.invert_xaxis()
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def verdict(points: list[dict]) -> str:
    """Whether this model needs its memory, in one line."""
    lost = points[0]["BLEU"] - points[-1]["BLEU"]
    if lost >= NEEDED:
        return f"This model needs its memory: without it {lost:.1f} BLEU are lost."
    return f"This model hardly needs its memory: without it no more than {lost:.1f} BLEU are lost."


if __name__ == "__main__":
    main()
