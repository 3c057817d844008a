r"""Turn tables of labelled sentences into a folder for fairseq's ``--task sentence_prediction``.

    python scripts/prepare_classification.py --pretrained data-bin/wikitext2-documents \
        --columns sentence label --inputs sentence --classes 0 1 \
        --train raw/train.tsv --valid raw/dev.tsv --test raw/test.tsv --dest data-bin/sst2

Tables are UTF-8, a row a line, with a tab between columns; quotation marks are text like any other.
With two ``--inputs`` a model reads pairs: add ``--separator-token 2`` when it is trained.
``--test`` may be without its last column, if that is ``label``, and then has no labels.

The sentences become the tokens of the model that is to be trained on: ``--pretrained`` names the
folder that ``prepare_language_model.py`` made of its text (with ``bpecodes``, if it knows pieces of
words), or the one that ``convert_hf_roberta.py`` wrote. The text is lower-cased if that one is.
The folder then holds

    input0/ input1/     dict.txt *.bin *.idx: the sentences, for fairseq
    label/              the same of the labels; class 0 is the first of --classes
    bpecodes bpevocab   of --pretrained, or its encoder.json and vocab.bpe
    prepared.json       settings, checksums of the input, counts, library versions

All is built in ``DEST.partial`` and renamed at the end, so a folder ``DEST`` is always whole.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

from plain_text import decode, escape, punctuation_is_apart, read_lines, read_text
from prepared_folder import (
    PrepareError,
    is_prepared,
    new_partial,
    positive,
    preprocess,
    run,
    sha256,
    write_record,
)
from pretrained_text import PretrainedText

LABEL = "label"
# What fairseq-preprocess says after each file.
COUNTED = re.compile(r"\] (\w+)\.tokens: (\d+) sents, \d+ tokens, (\S+%) replaced")


class Table(NamedTuple):
    """A split: its sentences, as many rows for each input, and its labels, if it has any."""

    inputs: list[list[str]]
    labels: list[str]


def main(arguments: list[str] | None = None) -> int:
    """Prepare the folder; an error is told in one line and makes the exit code 1."""
    options = parse(arguments)
    return run("prepare_classification", lambda: prepare(options))


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="prepare_classification",
        description="Turn tables of labelled sentences into a folder for fairseq's "
        "sentence_prediction.",
        epilog="A finished DEST is never touched: called again with the same input and settings, "
        "nothing is done.",
    )

    def add(name: str, text: str, **more: Any) -> None:
        parser.add_argument(name, help=text, **more)

    file = {"metavar": "FILE", "type": Path}
    add("--train", "table to learn from", required=True, **file)
    add("--valid", "table to choose the best checkpoint by", required=True, **file)
    add("--test", "table to score", **file)
    names = {"metavar": "NAME", "nargs": "+", "required": True}
    add("--columns", f"names of all columns; the last is '{LABEL}'", **names)
    add("--header", "the first line of each table has these names", action="store_true")
    add("--inputs", "columns with the one or two sentences", **names)
    add("--classes", "the labels, in the order of the classes", **names)
    rows = "how many rows the tables are to have; others are refused as cut off"
    add("--rows", rows, metavar="N", nargs="+", type=positive)
    folder = {"metavar": "FOLDER", "type": Path, "required": True}
    add(
        "--pretrained", "of the data, or of the model, that this model was pre-trained on", **folder
    )
    add("--raw-text", "English with punctuation still at its words", action="store_true")
    add("--lowercase", "lower-case, even if pre-training did not", action="store_true")
    add("--dest", "folder to make, such as data-bin/sst2", type=Path, required=True)
    options = parser.parse_args(arguments)
    if options.columns[-1] != LABEL or LABEL in options.inputs:
        parser.error(f"the last of --columns is to be '{LABEL}', and it is no input")
    if len(options.inputs) > 2 or not set(options.inputs) < set(options.columns):
        parser.error("--inputs are one or two of --columns")
    if len(set(options.classes)) != len(options.classes) or len(options.classes) < 2:
        parser.error("--classes are two or more, all different")
    if any(len(name.split()) != 1 for name in options.classes):
        parser.error("a name of --classes has white space, which fairseq would take for two")
    return options


def prepare(options: argparse.Namespace) -> None:
    """Check the input, then take all steps in ``DEST.partial``."""
    text = PretrainedText(options.pretrained, options.raw_text, options.lowercase)
    settings = {name: getattr(options, name) for name in ("columns", "inputs", "classes")}
    settings.update({name: getattr(text, name) for name in ("unit", "raw_text", "lowercase")})
    splits = {name: getattr(options, name) for name in ("train", "valid", "test")}
    splits = {name: path for name, path in splits.items() if path}
    tables = {name: read_table(path, name, options) for name, path in splits.items()}
    for (name, table), wanted in zip(tables.items(), options.rows or []):
        if len(table.inputs[0]) != wanted:
            raise PrepareError(
                f"{splits[name]} has {len(table.inputs[0])} rows, the official one has {wanted}: "
                "it is cut off or another text"
            )
    files = {**splits, **{file.name: file for file in [text.dictionary, *text.files]}}
    checksums = {name: sha256(path) for name, path in files.items()}

    dest = options.dest.absolute()
    if is_prepared(dest, settings, checksums):
        print(f"{options.dest} is prepared already, from the same input with the same settings")
        return
    partial = new_partial(dest)
    (partial / "work").rmdir()  # each folder gets one of its own
    words = read_text(text.dictionary)
    longest = {name: [1] * len(table.inputs[0]) for name, table in tables.items()}  # <s>
    unknown: dict[str, dict[str, str]] = {}
    for number, column in enumerate(options.inputs):
        lines = {name: list(map(text.cut, table.inputs[number])) for name, table in tables.items()}
        unknown[column] = binarize(partial / f"input{number}", lines, words)
        for name, sentences in lines.items():
            lengths = [len(sentence.split()) + 1 for sentence in sentences]  # with </s>
            longest[name] = list(map(sum, zip(longest[name], lengths)))
    labels = {name: table.labels for name, table in tables.items() if table.labels}
    names = "".join(f"{escape(name)} 1\n" for name in options.classes)
    binarize(partial / LABEL, labels, names)
    text.write(partial)

    counts = {name: len(table.inputs[0]) for name, table in tables.items()}
    record = {
        "settings": settings,
        "files": {name: path.name for name, path in files.items()},
        "sha256": checksums,
        "rows": counts,
        "longest_row": {name: max(lengths) for name, lengths in longest.items()},
        "unknown": unknown,
    }
    write_record(partial, record, text.rules, libraries=["subword-nmt", "sacremoses"])
    partial.rename(dest)
    warn(text, tables["train"])

    for name, count in counts.items():
        shares = ", ".join(f"{shares[name]} of {column}" for column, shares in unknown.items())
        told = f"the longest {max(longest[name])} tokens with <s> and </s>; unknown: {shares}"
        print(f"{name}: {count} rows{'' if name in labels else ' without labels'}, {told}")
    print(f"{options.dest} is ready")


def warn(text: PretrainedText, table: Table) -> None:
    """Say if punctuation is written in another way than the model has seen it."""
    apart = text.raw_text or punctuation_is_apart(line for part in table.inputs for line in part)
    if None not in (apart, text.punctuation_apart) and apart != text.punctuation_apart:
        known, here = ("apart from", "at") if text.punctuation_apart else ("at", "apart from")
        advice = "leave out" if text.raw_text else "add" if text.punctuation_apart else "undo that"
        advice += "" if advice == "undo that" else " --raw-text"
        print(
            f"prepare_classification: note: the model's text has punctuation {known} its words, "
            f"these tables {here} them: {advice} if most tokens are unknown",
            file=sys.stderr,
        )


def read_table(path: Path, split: str, options: argparse.Namespace) -> Table:
    """Read a table, and check every row.

    Raises:
        PrepareError: naming the file and the line.
    """
    if not path.is_file():
        raise PrepareError(f"missing file: {path}")
    columns, inputs, labels = options.columns, [[] for _ in options.inputs], []
    number = 0
    with path.open("rb") as file:
        for number, line in enumerate(read_lines(file, path), start=1):
            where = f"{path}, line {number}"
            cells = decode(line, where).split("\t")
            if number == 1 and split == "test" and len(cells) == len(columns) - 1:
                columns = columns[:-1]
            if number == 1 and options.header:
                if cells != columns:
                    told = f"the columns are {', '.join(cells)} and should be {', '.join(columns)}"
                    raise PrepareError(f"{where}: {told}")
                continue
            if len(cells) != len(columns):
                raise PrepareError(f"{where}: {len(cells)} columns, and there should be {columns}")
            row = dict(zip(columns, cells))
            for sentences, column in zip(inputs, options.inputs):
                if not row[column].strip():
                    raise PrepareError(f"{where}: {column} is empty")
                sentences.append(row[column])
            if LABEL in row:
                if row[LABEL] not in options.classes:
                    known = ", ".join(options.classes)
                    raise PrepareError(f"{where}: the label is '{row[LABEL]}', and not of {known}")
                labels.append(escape(row[LABEL]))
    if not inputs[0]:
        raise PrepareError(f"{path}: no rows, it is empty or cut off")
    return Table(inputs, labels)


def binarize(folder: Path, lines: dict[str, list[str]], dictionary: str) -> dict[str, str]:
    """Make a folder of fairseq's; the share of each split that the dictionary has no token for."""
    work = folder / "work"
    work.mkdir(parents=True)
    (work / "dict.txt").write_text(dictionary, encoding="utf-8")
    flags = ["--only-source", "--srcdict", "dict.txt"]
    for name, texts in lines.items():
        text = "".join(f"{text}\n" for text in texts)
        (work / f"{name}.tokens").write_bytes(text.encode())
        flags += [f"--{name}pref", f"{name}.tokens"]
    counted: dict[str, int] = {}
    unknown: dict[str, str] = {}

    def hear(line: str) -> None:
        found = COUNTED.search(line)
        if found:
            counted[found[1]], unknown[found[1]] = int(found[2]), found[3]

    preprocess(flags, work, hear)
    rows = {name: len(texts) for name, texts in lines.items()}
    if counted != rows:
        raise PrepareError(f"fairseq-preprocess counts {counted} rows, the tables have {rows}")
    shutil.rmtree(work)
    return unknown


if __name__ == "__main__":
    sys.exit(main())
