"""Tables of labelled sentences become a folder for fairseq's ``--task sentence_prediction``.

Tables are UTF-8, a row a line, with a tab between columns; quotation marks are text like any other.
The sentences become the tokens of the model that is to be trained on, see `PretrainedText`. The
folder then holds

    input0/ input1/     dict.txt *.bin *.idx: the sentences, for fairseq
    label/              the same of the labels; class 0 is the first of --classes
    bpecodes bpevocab   of --pretrained, or its encoder.json and vocab.bpe
    prepared.json       settings, checksums of the input, counts, library versions
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

from ..errors import MemtxError
from ..text.folder import punctuation_is_apart
from ..text.lines import decode, read_lines, read_text
from ..text.symbols import escape
from ..written_aside import folder_aside
from .folder import is_prepared, preprocess, sha256, write_record
from .pretrained_text import PretrainedText

LABEL = "label"


class Table(NamedTuple):
    """A split: its sentences, as many rows for each input, and its labels, if it has any."""

    inputs: list[list[str]]
    labels: list[str]


def prepare(options: argparse.Namespace) -> None:
    """Check the input and that no other folder is at ``dest``, then take all steps."""
    text = PretrainedText(options.pretrained, options.raw_text, options.lowercase)
    settings = {name: getattr(options, name) for name in ("columns", "inputs", "classes")}
    settings.update({name: getattr(text, name) for name in ("unit", "raw_text", "lowercase")})
    names = ("train", "valid", "test")
    splits = {name: path for name in names if (path := getattr(options, name))}
    tables = {name: read_table(path, name, options) for name, path in splits.items()}
    for (name, table), wanted in zip(tables.items(), options.rows or []):
        if len(table.inputs[0]) != wanted:
            raise MemtxError(
                f"{splits[name]} has {len(table.inputs[0])} rows, the official one has {wanted}: "
                "it is cut off or another text"
            )
    files = {**splits, **{file.name: file for file in [text.dictionary, *text.files]}}
    checksums = {name: sha256(path) for name, path in files.items()}
    if is_prepared(options.dest, settings, checksums):
        return
    longest = {name: [1] * len(table.inputs[0]) for name, table in tables.items()}  # <s>
    unknown: dict[str, dict[str, str]] = {}
    counts = {name: len(table.inputs[0]) for name, table in tables.items()}
    labels = {name: table.labels for name, table in tables.items() if table.labels}
    with folder_aside(options.dest) as folder:
        words = read_text(text.dictionary)
        for number, column in enumerate(options.inputs):
            lines = {
                name: list(map(text.cut, table.inputs[number])) for name, table in tables.items()
            }
            unknown[column] = binarise(folder / f"input{number}", lines, words)
            for name, sentences in lines.items():
                lengths = [len(sentence.split()) + 1 for sentence in sentences]  # with </s>
                longest[name] = list(map(sum, zip(longest[name], lengths)))
        binarise(folder / LABEL, labels, "".join(f"{escape(name)} 1\n" for name in options.classes))
        text.write(folder)
        record = {
            "settings": settings,
            "files": {name: path.name for name, path in files.items()},
            "sha256": checksums,
            "rows": counts,
            "longest_row": {name: max(lengths) for name, lengths in longest.items()},
            "unknown": unknown,
        }
        write_record(folder, record, text.rules, libraries=["subword-nmt", "sacremoses"])
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
            f"fairseq-memtx: note: the model's text has punctuation {known} its words, "
            f"these tables {here} them: {advice} if most tokens are unknown",
            file=sys.stderr,
        )


def read_table(path: Path, split: str, options: argparse.Namespace) -> Table:
    """Read a table, and check every row; errors name file and line."""
    if not path.is_file():
        raise MemtxError(f"missing file: {path}")
    columns, labels = options.columns, []
    inputs: list[list[str]] = [[] for _ in options.inputs]
    with path.open("rb") as file:
        for number, line in enumerate(read_lines(file, path), start=1):
            where = f"{path}, line {number}"
            cells = decode(line, where).split("\t")
            if number == 1 and split == "test" and len(cells) == len(columns) - 1:
                columns = columns[:-1]
            if number == 1 and options.header:
                if cells != columns:
                    told = f"the columns are {', '.join(cells)} and should be {', '.join(columns)}"
                    raise MemtxError(f"{where}: {told}")
                continue
            if len(cells) != len(columns):
                raise MemtxError(f"{where}: {len(cells)} columns, and there should be {columns}")
            row = dict(zip(columns, cells))
            for sentences, column in zip(inputs, options.inputs):
                if not row[column].strip():
                    raise MemtxError(f"{where}: {column} is empty")
                sentences.append(row[column])
            if LABEL in row:
                if row[LABEL] not in options.classes:
                    known = ", ".join(options.classes)
                    raise MemtxError(f"{where}: the label is '{row[LABEL]}', and not of {known}")
                labels.append(escape(row[LABEL]))
    if not inputs[0]:
        raise MemtxError(f"{path}: no rows, it is empty or cut off")
    return Table(inputs, labels)


def binarise(folder: Path, lines: dict[str, list[str]], dictionary: str) -> dict[str, str]:
    """Make a folder of fairseq's; the share of each split that the dictionary has no token for."""
    work = folder / "work"
    work.mkdir(parents=True)
    (work / "dict.txt").write_text(dictionary, encoding="utf-8")
    flags = ["--only-source", "--srcdict", "dict.txt"]
    for name, texts in lines.items():
        text = "".join(f"{text}\n" for text in texts)
        (work / f"{name}.tokens").write_bytes(text.encode())
        flags += [f"--{name}pref", f"{name}.tokens"]
    counted = preprocess(flags, work, files=len(lines))
    rows = {name: len(texts) for name, texts in lines.items()}
    found = {name: of.lines for name, of in counted.items()}
    if found != rows:
        raise MemtxError(f"fairseq-preprocess counts {found} rows, the tables have {rows}")
    return {name: of.unknown for name, of in counted.items()}
