"""Write the quickstart's corpus: German-English sentences about numbers, dates, times and money.

    python scripts/number_corpus.py DEST [--pairs 6000] [--held-out 500] [--seed 1]

writes ``DEST/{train,val,test}.{de,en}``. ``number_sentences.py`` makes the sentences, which a small
model learns in a minute or two. The same seed gives the same files on every machine, as long as the
versions of num2words and Babel are the same.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

try:
    from number_sentences import LANGUAGES, Pair, draw_pair
except ImportError as cause:
    raise SystemExit(
        f"number_corpus: error: {cause.name} is missing: pip install num2words Babel"
    ) from cause

MOST = 100_000  # there are ten times as many sentences, so that drawing new ones ends


def make_corpus(pairs: int, held_out: int, seed: int) -> dict[str, list[Pair]]:
    """Draw the three sets; among all of them no sentence of either language occurs twice.

    Args:
        pairs: size of the training set.
        held_out: size of the validation set, and of the test set.
        seed: of the random numbers.

    Returns:
        ``train``, ``val`` and ``test``.

    Raises:
        ValueError: if a size is below one, or if they are too many together.
    """
    if min(pairs, held_out) < 1:
        raise ValueError("--pairs and --held-out must be at least 1")
    wanted = pairs + 2 * held_out
    if wanted > MOST:
        raise ValueError(f"--pairs and twice --held-out must be {MOST} or less together")
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
    """Write a file for each set and language; each of them appears whole or not at all.

    Returns:
        False if all of them were there already.

    Raises:
        FileExistsError: if one is there with another content; nothing is written then.
    """
    texts = {
        folder / f"{split}.{language}": "".join(f"{pair[side]}\n" for pair in rows).encode()
        for split, rows in corpus.items()
        for side, language in enumerate(LANGUAGES)
    }
    missing = {path: text for path, text in texts.items() if not path.exists()}
    for path, text in texts.items():
        if path not in missing and path.read_bytes() != text:
            raise FileExistsError(
                f"{path} is there with another content: remove it, or use another folder"
            )
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in missing.items():
        partial = path.with_name(f"{path.name}.partial")
        partial.write_bytes(text)
        partial.replace(path)
    return bool(missing)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; an error is told in one line and makes the exit code 1."""
    options = parse(arguments)
    try:
        corpus = make_corpus(options.pairs, options.held_out, options.seed)
        written = write_corpus(corpus, options.destination)
    except (ValueError, OSError) as error:
        known_file = isinstance(error, OSError) and error.filename
        reason = f"{error.filename}: {error.strerror}" if known_file else error
        print(f"number_corpus: error: {reason}", file=sys.stderr)
        return 1
    sizes = ", ".join(f"{split} {len(rows)}" for split, rows in corpus.items())
    state = "written" if written else "there already, with the same content"
    print(f"{options.destination}: {sizes} pairs, {state}")
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Write the quickstart's German-English corpus of number words and dates."
    )
    parser.add_argument(
        "destination", type=Path, metavar="DEST", help="folder for {train,val,test}.{de,en}"
    )
    for name, default, meaning in [
        ("--pairs", 6000, "pairs to train on"),
        ("--held-out", 500, "pairs of val, and as many of test"),
        ("--seed", 1, "seed of the random numbers"),
    ]:
        parser.add_argument(
            name, type=int, default=default, metavar="N", help=f"{meaning} (default: {default})"
        )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
