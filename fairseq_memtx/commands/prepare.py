"""``fairseq-memtx prepare``: text becomes a folder that ``fairseq-train`` can read."""

import argparse
from pathlib import Path
from typing import Any

from .parser import add_command, commands_of, positive, ratio

FINISHED = (
    "A finished DEST is never touched: called again with the same input and settings, nothing is "
    "done."
)


def add_to(commands: Any) -> None:
    """Add the command."""
    summary = "turn text into a folder that fairseq-train can read"
    kinds = commands_of(add_command(commands, "prepare", None, summary), "KIND")
    _translation(kinds)
    _language_model(kinds)
    _classification(kinds)
    _question_answering(kinds)
    _numbers(kinds)


def _translation(kinds: Any) -> None:
    add = add_command(
        kinds, "translation", _prepare_translation,
        "turn raw parallel text into the data of --task translation",
        epilog="PREFIX stands for the files PREFIX.SOURCE and PREFIX.TARGET, or the same with .gz: "
        "UTF-8, a sentence a line, each line of one file being the translation of that line of the "
        f"other. A plain file is taken before a compressed one. {FINISHED}",
    ).add_argument  # fmt: skip
    needed: dict[str, Any] = {"required": True}
    add("--source", metavar="LANG", help="language to translate from, such as de", **needed)
    add("--target", metavar="LANG", help="language to translate into, such as en", **needed)
    add("--train", metavar="PREFIX", help="text to learn from", **needed)
    add("--valid", metavar="PREFIX", help="text to choose the best checkpoint by", **needed)
    add("--test", metavar="PREFIX", action="append", **needed,
        help="text to score; may be given again for test1, test2 and so on")  # fmt: skip
    add("--bpe-size", metavar="N", type=positive, help="learn about so many word pieces", **needed)
    add("--dest", type=Path, help="folder to make, such as data-bin/multi30k", **needed)
    add("--lowercase", action="store_true", help="lower-case all text, that in DEST/raw as well")
    add("--dash-splits", action="store_true", help="split words at their dashes, written @-@ then")
    add("--max-length", metavar="N", type=positive,
        help="leave training pairs out that have more words than this on a side")  # fmt: skip
    add("--max-ratio", metavar="R", type=ratio,
        help="leave training pairs out with R times more words on one side than on the "
        "other")  # fmt: skip


def _language_model(kinds: Any) -> None:
    add = add_command(
        kinds, "language-model", _prepare_language_model,
        "turn raw text into the data of a language model",
        epilog=f"Several FILEs of a split are put one after the other. {FINISHED}",
    ).add_argument  # fmt: skip
    files: dict[str, Any] = {"metavar": "FILE", "nargs": "+", "type": Path}
    add("--train", required=True, help="text to learn from", **files)
    add("--valid", required=True, help="text to choose the best checkpoint by", **files)
    add("--test", default=[], help="text to score", **files)
    add("--unit", required=True, choices=["words", "characters", "bytes", "pieces"],
        help="what a token is")  # fmt: skip
    add("--dest", required=True, type=Path, help="folder to make, such as data-bin/enwiki")
    add("--threshold", metavar="N", type=positive, default=1,
        help="tokens that train has less than N times become <unk>")  # fmt: skip
    add("--documents", action="store_true",
        help="each FILE is a document: put a blank line between those of a split, which "
        "--sample-break-mode complete_doc looks for")  # fmt: skip
    add("--bpe-size", metavar="N", type=positive, help="learn about so many pieces")
    add("--lowercase", action="store_true", help="lower-case words and pieces")


def _classification(kinds: Any) -> None:
    add = add_command(
        kinds, "classification", _prepare_classification,
        "turn tables of labelled sentences into the data of --task sentence_prediction",
        epilog="Tables are UTF-8, a row a line, with a tab between columns. With two --inputs a "
        "model reads pairs: add --separator-token 2 when it is trained. The table of --test may be "
        f"without its last column, and then has no labels. {FINISHED}",
    ).add_argument  # fmt: skip
    file: dict[str, Any] = {"metavar": "FILE", "type": Path}
    add("--train", required=True, help="table to learn from", **file)
    add("--valid", required=True, help="table to choose the best checkpoint by", **file)
    add("--test", help="table to score", **file)
    names: dict[str, Any] = {"metavar": "NAME", "nargs": "+", "required": True}
    add("--columns", help="names of all columns; the last is 'label'", **names)
    add("--header", action="store_true", help="the first line of each table has these names")
    add("--inputs", help="columns with the one or two sentences", **names)
    add("--classes", help="the labels, in the order of the classes", **names)
    add("--rows", metavar="N", nargs="+", type=positive,
        help="how many rows the tables are to have; others are refused as cut off")  # fmt: skip
    add("--pretrained", metavar="FOLDER", type=Path, required=True,
        help="of the data, or of the model, that this model was pre-trained on")  # fmt: skip
    add("--raw-text", action="store_true", help="English with punctuation still at its words")
    add("--lowercase", action="store_true", help="lower-case, even if pre-training did not")
    add("--dest", type=Path, required=True, help="folder to make, such as data-bin/sst2")


def _question_answering(kinds: Any) -> None:
    parser = add_command(
        kinds, "question-answering", _prepare_question_answering,
        "turn files of SQuAD or HotpotQA into the data of --task extractive_qa",
        epilog="Each FILE is JSON as of SQuAD 1.1, SQuAD 2.0 or HotpotQA. The folder also has "
        f"their contexts as text to pre-train on. {FINISHED}",
    )  # fmt: skip
    add = parser.add_argument
    file: dict[str, Any] = {"metavar": "FILE", "type": Path}
    add("--train", required=True, help="questions to learn from", **file)
    valid = parser.add_mutually_exclusive_group(required=True).add_argument
    valid("--valid", help="questions to choose the best checkpoint by", **file)
    valid("--held-out", metavar="N", type=positive,
        help="take N articles (SQuAD) or questions (HotpotQA) out of train for that")  # fmt: skip
    add("--test", help="questions to score", **file)
    add("--questions", metavar="N", nargs="+", type=positive,
        help="how many the FILEs are to have; others are refused as cut off")  # fmt: skip
    tokens = parser.add_mutually_exclusive_group(required=True).add_argument
    tokens("--bpe-size", metavar="N", type=positive, help="learn about so many word pieces")
    tokens("--pretrained", metavar="FOLDER", type=Path,
        help="of the data, or of the model, that this model was pre-trained on")  # fmt: skip
    add("--lowercase", action="store_true", help="lower-case, even if pre-training did not")
    add("--dest", type=Path, required=True, help="folder to make, such as data-bin/squad")


def _numbers(kinds: Any) -> None:
    summary = "write the quickstart's German-English corpus of number words and dates"
    add = add_command(kinds, "numbers", _prepare_numbers, summary).add_argument
    add("dest", type=Path, metavar="DEST", help="folder for {train,val,test}.{de,en}")
    for name, default, meaning in [
        ("--pairs", 6000, "pairs to train on"),
        ("--held-out", 500, "pairs of val, and as many of test"),
        ("--seed", 1, "seed of the random numbers"),
    ]:
        add(name, type=int, default=default, metavar="N", help=f"{meaning} (default: {default})")


def _prepare_translation(options: argparse.Namespace) -> None:
    if options.source == options.target:
        options.refuse("--source and --target are the same language")
    from ..prepare import translation

    translation.prepare(options)


def _prepare_language_model(options: argparse.Namespace) -> None:
    if (options.unit == "pieces") != (options.bpe_size is not None):
        options.refuse("--unit pieces and --bpe-size need each other")
    if options.lowercase and options.unit not in ("words", "pieces"):
        options.refuse("--lowercase is for words and pieces")
    from ..prepare import language_model

    language_model.prepare(options)


def _prepare_classification(options: argparse.Namespace) -> None:
    if options.columns[-1] != "label" or "label" in options.inputs:
        options.refuse("the last of --columns is to be 'label', and it is no input")
    if len(options.inputs) > 2 or not set(options.inputs) < set(options.columns):
        options.refuse("--inputs are one or two of --columns")
    if len(set(options.classes)) != len(options.classes) or len(options.classes) < 2:
        options.refuse("--classes are two or more, all different")
    if any(len(name.split()) != 1 for name in options.classes):
        options.refuse("a name of --classes has white space, which fairseq would take for two")
    from ..prepare import classification

    classification.prepare(options)


def _prepare_question_answering(options: argparse.Namespace) -> None:
    from ..prepare import question_answering

    question_answering.prepare(options)


def _prepare_numbers(options: argparse.Namespace) -> None:
    from ..prepare import number_corpus

    number_corpus.prepare(options)
