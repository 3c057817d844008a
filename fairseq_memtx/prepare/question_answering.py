"""Files of SQuAD or HotpotQA become a folder for ``--task extractive_qa``, and to pre-train on.

The tokens are those of a pre-trained model (`PretrainedText`), or pieces of words of a BPE that is
learnt from the contexts and questions of train. Words are told apart from punctuation, since an
answer ends with a word. The folder then holds

    train.json valid.json test.json   the questions, in the format in which they came
    dict.txt *.bin *.idx              contexts and questions as text, for --task masked_lm: a
                                      paragraph or a question a line, a blank line between documents
    bpecodes bpevocab                 the BPE, or what --pretrained has of one
    prepared.json                     settings, checksums of the input, counts, library versions
"""

import argparse
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import MemtxError
from ..text.folder import FolderText
from ..text.lines import decode
from ..text.questions.json_records import Record
from ..text.questions.reading import Question, read_questions
from ..text.questions.words import chunk_pattern
from ..text.symbols import escape
from ..written_aside import folder_aside
from .folder import is_prepared, preprocess, sha256, write_record
from .language_model import Tokenizer, learn_pieces, write_tokens
from .pretrained_text import PretrainedText


def prepare(options: argparse.Namespace) -> None:
    """Check the input and that no other folder is at ``dest``, then take all steps."""
    text = options.pretrained and PretrainedText(options.pretrained, False, options.lowercase)
    settings = {name: getattr(options, name) for name in ("held_out", "bpe_size", "lowercase")}
    names = ("train", "valid", "test")
    files: dict[str, Path] = {name: path for name in names if (path := getattr(options, name))}
    check(list(files.values()), options.questions or [])
    own = {file.name: file for file in [text.dictionary, *text.files]} if text else {}
    checksums = {name: sha256(path) for name, path in {**files, **own}.items()}
    if is_prepared(options.dest, settings, checksums):
        return
    with folder_aside(options.dest) as folder:
        for name, path in files.items():
            shutil.copyfile(path, folder / f"{name}.json")
        if options.held_out:
            hold_out(options.held_out, folder)
        splits = {name: folder / f"{name}.json" for name in names}
        questions = {name: read_questions(path) for name, path in splits.items() if path.exists()}
        work = folder / "work"
        work.mkdir()
        for name, asked in questions.items():
            write_text(asked, work / f"{name}.text")
        if text:
            text.write(folder)
            shutil.copyfile(text.dictionary, work / "dict.txt")
            rules, flags, tokenize = text.rules, ["--srcdict", "dict.txt"], pieces(text.rules)
        else:
            rules, flags = FolderText(folder, "pieces", lowercase=options.lowercase), []
            train, codes = work / "train.text", folder / "bpecodes"
            tokenize = learn_pieces(words(rules), [train], options.bpe_size, codes)
        counts = {
            name: write_tokens([work / f"{name}.text"], work / f"{name}.tokens", tokenize, False)
            for name in questions
        }
        for name in counts:
            flags += [f"--{name}pref", f"{name}.tokens"]
        counted = preprocess(["--only-source", *flags], work, files=len(counts))
        tokens = {name: of.tokens for name, of in counted.items()}
        if tokens != counts:
            raise MemtxError(f"fairseq-preprocess counts {tokens} tokens, the text has {counts}")
        record = {
            "settings": settings,
            "files": {name: path.name for name, path in files.items()},
            "sha256": checksums,
            "questions": {name: len(asked) for name, asked in questions.items()},
            "tokens": counts,
            "unknown": {name: of.unknown for name, of in counted.items()},
        }
        write_record(folder, record, rules, libraries=["subword-nmt"])

    for name, asked in questions.items():
        lost = sum(one.span is None and not one.may_be_unanswerable for one in asked)
        print(
            f"{name}: {len(asked)} questions, {lost} of them without the answer in the context; "
            f"{counts[name]} tokens, {counted[name].unknown} of them unknown"
        )
    print(f"{options.dest} is ready")


def check(files: list[Path], counts: list[int]) -> None:
    """Read all, so that what is wrong is told by the name of the file, and count the questions."""
    found = [len(read_questions(path)) for path in files]
    for path, count, wanted in zip(files, found, counts):
        if count != wanted:
            raise MemtxError(
                f"{path} has {count} questions, the official one has {wanted}: it is cut off or "
                "another file"
            )


def hold_out(count: int, folder: Path) -> None:
    """Move articles of SQuAD, or questions of HotpotQA, from ``train.json`` to ``valid.json``.

    Which ones is decided by a hash of what is in them, so that it is the same everywhere. Questions
    about one article stay together.
    """
    file = folder / "train.json"
    content = Record.load(file).value
    entries: list[Any] = content if isinstance(content, list) else content["data"]
    if count >= len(entries):
        what = "questions" if entries is content else "articles"
        raise MemtxError(f"--held-out {count} leaves none of the {len(entries)} {what} in train")
    order = sorted(range(len(entries)), key=lambda number: _digest(entries[number]))
    held = set(order[:count])
    for name, here in (("train", False), ("valid", True)):
        part: Any = [entry for number, entry in enumerate(entries) if (number in held) is here]
        part = part if entries is content else {**content, "data": part}
        text = json.dumps(part, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")


def _digest(entry: Any) -> bytes:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).digest()


def write_text(questions: list[Question], file: Path) -> None:
    """Write every context once, with the questions about it behind it."""
    documents: dict[str, list[str]] = {}
    for question in questions:
        documents.setdefault(question.context, []).append(" ".join(question.text.split()))
    texts = ("\n".join([*context.split("\n"), *asked]) for context, asked in documents.items())
    file.write_text("\n\n".join(texts) + "\n", encoding="utf-8", newline="\n")


def words(rules: FolderText) -> Tokenizer:
    """What cuts a line into words, as those of a question that a model reads."""
    pattern = chunk_pattern(rules)
    change: Callable[[str], str] = str.lower if rules.lowercase else str

    def split(line: bytes, where: str) -> list[str]:
        return [escape(change(word)) for word in pattern.findall(decode(line, where))]

    return split


def pieces(rules: FolderText) -> Tokenizer:
    """What cuts a line into the tokens that a pre-trained model knows."""
    if rules.unit == "gpt2":  # which tells words apart by itself
        cut = rules.cutter()
        return lambda line, where: cut(decode(line, where)).split()
    split, of_words = words(rules), rules.pieces()
    return lambda line, where: of_words(" ".join(split(line, where))).split()
