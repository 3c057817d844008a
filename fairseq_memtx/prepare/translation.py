"""Turn raw parallel text into a folder that ``fairseq-train`` can read.

    python scripts/prepare_translation.py --source de --target en \
        --train raw/train --valid raw/val --test raw/test_2016_flickr \
        --bpe-size 8000 --dest data-bin/multi30k

``raw/train`` stands for the files ``raw/train.de`` and ``raw/train.en`` (or the same with ``.gz``):
UTF-8, one sentence a line, each line of one file being the translation of that line of the other.

sacremoses makes the punctuation uniform and splits the text into words; subword-nmt learns one
byte pair encoding (BPE) for both languages and cuts rare words into pieces with it;
``fairseq-preprocess`` replaces the pieces by numbers. The folder then holds

    *.bin *.idx dict.*.txt   what fairseq reads
    bpecodes                 the BPE, under the name that fairseq's ``from_pretrained`` looks for
    bpevocab.*               the pieces that each language has in train
    raw/                     valid and test as they were, to score against with sacreBLEU
    prepared.json            settings, checksums of the input, sentence counts, library versions

All is built in ``DEST.partial`` and renamed at the end, so a folder ``DEST`` is always whole. The
plugin reads there how text is cut, and cuts what it is given to translate in the same way.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from parallel_text import ParallelText, check_text
from plain_text import FolderText
from prepared_folder import (
    PrepareError,
    is_prepared,
    new_partial,
    positive,
    preprocess,
    ratio,
    run,
    write_record,
)
from word_pieces import cut_words, progress, write_words


def main(arguments: list[str] | None = None) -> int:
    """Prepare the folder; an error is told in one line and makes the exit code 1."""
    options = parse(arguments)
    return run("prepare_translation", lambda: prepare(options))


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="prepare_translation",
        description="Turn raw parallel text into a folder that fairseq-train can read.",
        epilog="PREFIX stands for the files PREFIX.SOURCE and PREFIX.TARGET, or the same with .gz; "
        "a plain file is taken before a compressed one. A finished DEST is never touched: called "
        "again with the same input and settings, nothing is done.",
    )

    def add(name: str, text: str, **more: Any) -> None:
        parser.add_argument(name, help=text, **more)

    needed = {"required": True}
    add("--source", "language to translate from, such as de", metavar="LANG", **needed)
    add("--target", "language to translate into, such as en", metavar="LANG", **needed)
    add("--train", "text to learn from", metavar="PREFIX", **needed)
    add("--valid", "text to choose the best checkpoint by", metavar="PREFIX", **needed)
    tests = "text to score; may be given again for test1, test2 and so on"
    add("--test", tests, metavar="PREFIX", action="append", **needed)
    add("--bpe-size", "learn about so many word pieces", metavar="N", type=positive, **needed)
    add("--dest", "folder to make, such as data-bin/multi30k", type=Path, **needed)
    add("--lowercase", "lower-case all text, that in DEST/raw as well", action="store_true")
    add("--dash-splits", "split words at their dashes, written @-@ then", action="store_true")
    longest = "leave training pairs out that have more words than this on a side"
    add("--max-length", longest, metavar="N", type=positive)
    unbalanced = "leave training pairs out with R times more words on one side than on the other"
    add("--max-ratio", unbalanced, metavar="R", type=ratio)

    options = parser.parse_args(arguments)
    if options.source == options.target:
        parser.error("--source and --target are the same language")
    return options


def prepare(options: argparse.Namespace) -> None:
    """Check the input, then take all steps in ``DEST.partial``."""
    names = ["source", "target", "bpe_size", "lowercase", "dash_splits", "max_length", "max_ratio"]
    settings = {name: getattr(options, name) for name in names}
    prefixes = [("train", options.train), ("valid", options.valid)]
    prefixes += [(f"test{number or ''}", prefix) for number, prefix in enumerate(options.test)]
    texts, checksums = [], {}
    with progress("checking the input", len(prefixes), " texts") as bar:
        for name, prefix in prefixes:
            texts.append(check_text(name, prefix, [options.source, options.target]))
            checksums.update(texts[-1].checksums())
            bar.update()

    dest = options.dest.absolute()
    if is_prepared(dest, settings, checksums):
        print(f"{options.dest} is prepared already, from the same input with the same settings")
        return
    partial = new_partial(dest)
    work = partial / "work"
    (partial / "raw").mkdir()

    rules = FolderText(
        partial,
        "pieces",
        lowercase=options.lowercase,
        moses=True,
        dash_splits=options.dash_splits,
        escape=True,
        languages=(options.source, options.target),
    )
    left_out = {text.name: write_words(text, partial, rules, settings) for text in texts}["train"]
    pairs = {text.name: text.pairs for text in texts}
    pairs["train"] -= sum(left_out.values())
    told = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "none"
    if not pairs["train"]:
        raise PrepareError(f"{options.train}: no pair is left to learn from ({told})")
    cut_words(texts, work, settings["bpe_size"], partial / "bpecodes")
    binarize(texts, work)
    shutil.rmtree(work)
    paths = {f"{text.name}.{key}": path for text in texts for key, path in text.paths.items()}
    record = {
        "settings": settings,
        "files": {key: path.name for key, path in paths.items()},
        "sha256": checksums,
        "pairs": pairs,
        "training_pairs_left_out": left_out,
    }
    write_record(partial, record, rules, libraries=["sacremoses", "subword-nmt"])
    partial.rename(dest)

    print(f"training pairs left out: {told}")
    print("pairs: " + ", ".join(f"{name} {count}" for name, count in pairs.items()))
    print(f"{options.dest} is ready")


def binarize(texts: list[ParallelText], work: Path) -> None:
    """Run ``fairseq-preprocess``, with one dictionary for both languages."""
    source, target = texts[0].paths
    tests = ",".join(f"{text.name}.pieces" for text in texts if text.name.startswith("test"))
    flags = ["-s", source, "-t", target, "--joined-dictionary"]
    flags += ["--trainpref", "train.pieces", "--validpref", "valid.pieces", "--testpref", tests]
    with progress("fairseq-preprocess", 2 * len(texts), " files") as bar:
        preprocess(flags, work, lambda line: bar.update(" sents, " in line))  # once for each file


if __name__ == "__main__":
    sys.exit(main())
