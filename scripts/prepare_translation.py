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
    raw/                     valid and test as they were, to score against with sacreBLEU
    prepared.json            settings, checksums of the input, sentence counts, library versions

All is built in ``DEST.partial`` and renamed at the end, so a folder ``DEST`` is always whole.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
from collections import Counter, deque
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from parallel_text import ParallelText, PrepareError, check_text
from word_pieces import cut_words, progress, write_words


def main(arguments: list[str] | None = None) -> int:
    """Prepare the folder; an error is told in one line and makes the exit code 1."""
    options = parse(arguments)
    try:
        prepare(options)
    except PrepareError as error:
        return fail(str(error))
    except OSError as error:  # such as a full disk or a folder that may not be written
        return fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        return fail("stopped; the next start begins anew", exit_code=130)
    return 0


def fail(reason: str, exit_code: int = 1) -> int:
    """Say why, on stderr."""
    print(f"prepare_translation: error: {reason}", file=sys.stderr)
    return exit_code


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
    add("--max-ratio", unbalanced, metavar="R", type=float)

    options = parser.parse_args(arguments)
    if options.source == options.target:
        parser.error("--source and --target are the same language")
    return options


def positive(text: str) -> int:
    """A whole number above zero."""
    if int(text) < 1:
        raise ValueError
    return int(text)


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
    partial = dest.with_name(f"{dest.name}.partial")
    if partial.exists():
        shutil.rmtree(partial)
    work = partial / "work"
    work.mkdir(parents=True)
    (partial / "raw").mkdir()

    left_out = {text.name: write_words(text, partial, settings) for text in texts}["train"]
    pairs = {text.name: text.pairs for text in texts}
    pairs["train"] -= sum(left_out.values())
    told = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "none"
    if not pairs["train"]:
        raise PrepareError(f"{options.train}: no pair is left to learn from ({told})")
    cut_words(texts, work, settings["bpe_size"], partial / "bpecodes")
    binarize(texts, work)
    shutil.rmtree(work)
    write_record(partial, texts, settings, checksums, pairs, left_out)
    partial.rename(dest)

    print(f"training pairs left out: {told}")
    print("pairs: " + ", ".join(f"{name} {count}" for name, count in pairs.items()))
    print(f"{options.dest} is ready")


def is_prepared(dest: Path, settings: dict[str, Any], checksums: dict[str, str]) -> bool:
    """Whether DEST is the very folder asked for; an error if it is anything else."""
    if not dest.exists():
        return False
    with suppress(OSError, ValueError, TypeError, KeyError):
        record = json.loads((dest / "prepared.json").read_text(encoding="utf-8"))
        if record["settings"] == settings and record["sha256"] == checksums:
            return True
    raise PrepareError(
        f"{dest} exists, but was not made from this input with these settings: "
        "delete it or choose another --dest"
    )


def binarize(texts: list[ParallelText], work: Path) -> None:
    """Run ``fairseq-preprocess`` in ``work``, so that no path of the user's can confuse it."""
    source, target = texts[0].paths
    tests = ",".join(f"{text.name}.pieces" for text in texts if text.name.startswith("test"))
    command = [sys.executable, "-m", "fairseq_cli.preprocess", "-s", source, "-t", target]
    command += ["--trainpref", "train.pieces", "--validpref", "valid.pieces", "--testpref", tests]
    command += ["--joined-dictionary", "--destdir", "..", "--workers", "1"]
    noise: deque[str] = deque(maxlen=10)
    with progress("fairseq-preprocess", 2 * len(texts), " files") as bar, subprocess.Popen(
        command,
        cwd=work,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            for line in process.stdout:
                noise.append(line)
                bar.update(" sents, " in line)  # it says so after each file
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        sys.stderr.writelines(noise)
        raise PrepareError("fairseq-preprocess failed, with the lines above")


def write_record(
    partial: Path,
    texts: list[ParallelText],
    settings: dict[str, Any],
    checksums: dict[str, str],
    pairs: dict[str, int],
    left_out: Counter[str],
) -> None:
    """Write ``prepared.json``: what this folder was made from, and with what."""
    versions = {"python": platform.python_version()}
    for library in ("sacremoses", "subword-nmt", "fairseq", "ve-fairseq"):
        with suppress(metadata.PackageNotFoundError):
            versions[library] = metadata.version(library)
    record = {
        "settings": settings,
        "files": {
            f"{one.name}.{key}": path.name for one in texts for key, path in one.paths.items()
        },
        "sha256": checksums,
        "pairs": pairs,
        "training_pairs_left_out": left_out,
        "versions": versions,
    }
    (partial / "prepared.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
