"""Raw parallel text becomes a folder for fairseq's ``--task translation``.

sacremoses makes the punctuation uniform and splits the text into words; subword-nmt learns one
byte pair encoding (BPE) for both languages and cuts rare words into pieces with it;
``fairseq-preprocess`` replaces the pieces by numbers. The folder then holds

    *.bin *.idx dict.*.txt   what fairseq reads
    bpecodes                 the BPE, under the name that fairseq's ``from_pretrained`` looks for
    bpevocab.*               the pieces that each language has in train
    raw/                     valid and test as they were, to score against with sacreBLEU
    prepared.json            settings, checksums of the input, sentence counts, library versions

The plugin reads there how text is cut, and cuts what it is given to translate in the same way.
"""

import argparse
from collections import Counter

from ..errors import MemtxError
from ..text.folder import FolderText
from ..written_aside import folder_aside
from .folder import is_prepared, preprocess, progress, write_record
from .parallel_text import ParallelText, check_text
from .word_pieces import cut_file, learn, pieces_of, write_words

SETTINGS = ["source", "target", "bpe_size", "lowercase", "dash_splits", "max_length", "max_ratio"]


def prepare(options: argparse.Namespace) -> None:
    """Check the input and that no other folder is at ``dest``, then take all steps."""
    settings = {name: getattr(options, name) for name in SETTINGS}
    texts = read_texts(options)
    checksums = {key: value for text in texts for key, value in text.checksums().items()}
    if is_prepared(options.dest, settings, checksums):
        return
    with folder_aside(options.dest) as folder:
        work, codes = folder / "work", folder / "bpecodes"
        for new in (work, folder / "raw"):
            new.mkdir()
        rules = FolderText(
            folder,
            "pieces",
            lowercase=options.lowercase,
            moses=True,
            dash_splits=options.dash_splits,
            escape=True,
            languages=(options.source, options.target),
        )
        limits = options.max_length, options.max_ratio
        (words, left_out), *_ = [write_words(text, folder, rules, *limits) for text in texts]
        pairs = {text.name: text.pairs for text in texts}
        pairs["train"] -= sum(left_out.values())
        told = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "none"
        if not pairs["train"]:
            raise MemtxError(f"{options.train}: no pair is left to learn from ({told})")
        learn(sum(words.values(), Counter()), options.bpe_size, codes)
        for language, counts in words.items():
            # Pieces that only the other language has are cut further, as the model would never
            # have seen them on this side.
            pieces = pieces_of(counts, codes, folder / f"bpevocab.{language}")
            for text in texts:
                cut_file(work, text, language, pieces)
        tests = ",".join(f"{text.name}.pieces" for text in texts[2:])
        flags = ["-s", options.source, "-t", options.target, "--joined-dictionary"]
        flags += ["--trainpref", "train.pieces", "--validpref", "valid.pieces"]
        preprocess([*flags, "--testpref", tests], work, files=2 * len(texts))
        paths = {f"{text.name}.{key}": path for text in texts for key, path in text.paths.items()}
        record = {
            "settings": settings,
            "files": {key: path.name for key, path in paths.items()},
            "sha256": checksums,
            "pairs": pairs,
            "training_pairs_left_out": left_out,
        }
        write_record(folder, record, rules, libraries=["sacremoses", "subword-nmt"])

    print(f"training pairs left out: {told}")
    print("pairs: " + ", ".join(f"{name} {count}" for name, count in pairs.items()))
    print(f"{options.dest} is ready")


def read_texts(options: argparse.Namespace) -> list[ParallelText]:
    """Train, valid and the test sets, all of them whole."""
    prefixes = [("train", options.train), ("valid", options.valid)]
    prefixes += [(f"test{number or ''}", prefix) for number, prefix in enumerate(options.test)]
    texts = []
    with progress("checking the input", len(prefixes), unit=" texts") as bar:
        for name, prefix in prefixes:
            texts.append(check_text(name, prefix, [options.source, options.target]))
            bar.update()
    return texts
