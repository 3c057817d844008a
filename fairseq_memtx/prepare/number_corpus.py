"""The quickstart's corpus: German-English sentences about numbers, dates, times and money.

A small model learns it in a minute or two. The same seed gives the same files on every machine, as
long as the versions of num2words and Babel are the same.
"""

import argparse
import random
from pathlib import Path

from ..errors import MemtxError
from ..written_aside import written_aside
from .number_sentences import LANGUAGES, Pair, draw_pair

MOST = 100_000  # there are ten times as many sentences, so that drawing new ones ends


def make_corpus(pairs: int, held_out: int, seed: int) -> dict[str, list[Pair]]:
    """Draw ``train``, and ``val`` and ``test`` of ``held_out`` pairs each.

    Among all of them no sentence of either language occurs twice; too many are refused.
    """
    if min(pairs, held_out) < 1:
        raise MemtxError("--pairs and --held-out must be at least 1")
    wanted = pairs + 2 * held_out
    if wanted > MOST:
        raise MemtxError(f"--pairs and twice --held-out must be {MOST} or less together")
    draw = random.Random(seed)
    corpus: dict[str, str] = {}
    translations: set[str] = set()
    while len(corpus) < wanted:
        german, english = draw_pair(draw)
        if german not in corpus and english not in translations:
            corpus[german] = english
            translations.add(english)
    rows = list(corpus.items())
    return {
        "train": rows[2 * held_out :],
        "val": rows[held_out : 2 * held_out],
        "test": rows[:held_out],
    }


def write_corpus(corpus: dict[str, list[Pair]], folder: Path) -> bool:
    """Write a file for each set and language, whole or not at all; False if all are there."""
    texts = {
        folder / f"{split}.{language}": "".join(f"{pair[side]}\n" for pair in rows).encode()
        for split, rows in corpus.items()
        for side, language in enumerate(LANGUAGES)
    }
    missing = [path for path in texts if not path.exists()]
    for path, text in texts.items():
        if path not in missing and path.read_bytes() != text:
            raise MemtxError(
                f"{path} is there with another content: remove it, or use another folder"
            )
    with written_aside(*missing) as partials:
        for path, partial in zip(missing, partials):
            partial.write_bytes(texts[path])
    return bool(missing)


def prepare(options: argparse.Namespace) -> None:
    """Make the corpus and write ``{train,val,test}.{de,en}``."""
    corpus = make_corpus(options.pairs, options.held_out, options.seed)
    written = write_corpus(corpus, options.dest)
    sizes = ", ".join(f"{split} {len(rows)}" for split, rows in corpus.items())
    state = "written" if written else "there already, with the same content"
    print(f"{options.dest}: {sizes} pairs, {state}")
