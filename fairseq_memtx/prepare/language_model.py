"""Raw text becomes a folder that ``fairseq-train`` can read as a language model's data.

What a token is, `text` says: for words `text.words` and `text.symbols`, for characters and bytes
(as in enwik8) `text.units`. Among words a blank line stays, as the end of an empty line, and
``<unk>`` is a word that is unknown, both as in WikiText. Pieces of words are those of a byte pair
encoding (BPE) of subword-nmt, which is learnt from train.

The end of a line is the token ``</s>``, which ``fairseq-preprocess`` puts there and cannot be told
not to. So for characters and bytes ``</s>`` *is* the newline, and there are exactly as many tokens
as characters or bytes, except that a last line without a newline gets one. That fairseq counts as
many tokens as the text has is checked. The folder then holds

    dict.txt *.bin *.idx     what fairseq reads
    bpecodes                 the BPE, if any, under the name that ``from_pretrained`` looks for
    bpevocab                 the pieces that train has
    prepared.json            settings, checksums of the input, token counts, library versions
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from ..errors import MemtxError
from ..text.folder import FolderText, punctuation_is_apart
from ..text.lines import decode, read_lines
from ..text.units import spell
from ..written_aside import folder_aside
from .folder import is_prepared, preprocess, progress, sha256, write_record

Tokenizer = Callable[[bytes, str], list[str]]  # of a line, and its place for errors
SEEN = 10_000  # lines of train that are looked at for how punctuation is written


def prepare(options: argparse.Namespace) -> None:
    """Check the input and that no other folder is at ``dest``, then take all steps."""
    settings = {name: getattr(options, name) for name in ("unit", "threshold", "documents")}
    more = {name: getattr(options, name) for name in ("bpe_size", "lowercase")}
    settings.update({name: value for name, value in more.items() if value})
    names = ("train", "valid", "test")
    splits = {name: paths for name in names if (paths := getattr(options, name))}
    for path in (path for paths in splits.values() for path in paths):
        if not path.is_file():
            raise MemtxError(f"missing file: {path}")
        if not path.stat().st_size:
            raise MemtxError(f"{path}: empty file")
    checksums = {name: [sha256(path) for path in paths] for name, paths in splits.items()}
    if is_prepared(options.dest, settings, checksums):
        return
    with folder_aside(options.dest) as folder:
        work = folder / "work"
        work.mkdir()
        rules = FolderText(folder, options.unit, lowercase=options.lowercase)
        tokenize = UNITS.get(options.unit) or words(rules)
        if options.unit not in UNITS:
            rules = rules.change(punctuation_apart=punctuation_is_apart(first_lines(options.train)))
        if options.bpe_size:
            tokenize = learn_pieces(tokenize, options.train, options.bpe_size, folder / "bpecodes")
        counts = {
            name: write_tokens(paths, work / f"{name}.tokens", tokenize, options.documents)
            for name, paths in splits.items()
        }
        flags = ["--only-source", "--thresholdsrc", str(options.threshold)]
        for name in counts:
            flags += [f"--{name}pref", f"{name}.tokens"]
        counted = preprocess(flags, work, files=len(counts))
        tokens = {name: of.tokens for name, of in counted.items()}
        if tokens != counts:
            raise MemtxError(f"fairseq-preprocess counts {tokens} tokens, the text has {counts}")
        record = {
            "settings": settings,
            "files": {name: [path.name for path in paths] for name, paths in splits.items()},
            "sha256": checksums,
            "tokens": counts,
            "unknown": {name: of.unknown for name, of in counted.items()},
        }
        libraries = ["subword-nmt"] if options.bpe_size else []
        write_record(folder, record, rules, libraries)

    for name, count in counts.items():
        print(f"{name}: {count} tokens ({options.unit}), {counted[name].unknown} of them unknown")
    print(f"{options.dest} is ready")


def write_tokens(paths: list[Path], target: Path, tokenize: Tokenizer, documents: bool) -> int:
    """Write the tokens of a split, a line as a line, and count them with the ends of lines."""
    count = 0
    with target.open("w", encoding="utf-8", newline="\n") as out:
        for index, path in enumerate(paths):
            if documents and index:
                out.write("\n")
                count += 1
            for tokens in read_tokens(path, tokenize, f"tokens of {target.stem}"):
                out.write(" ".join(tokens) + "\n")
                count += len(tokens) + 1
    return count


def read_tokens(path: Path, tokenize: Tokenizer, what: str) -> Iterator[list[str]]:
    """The tokens of each line of a file, with a bar on stderr."""
    bar = progress(what, path.stat().st_size, unit="B", unit_scale=True)
    with bar, path.open("rb") as file:
        for number, line in enumerate(read_lines(file, path), start=1):
            bar.update(len(line) + 1)
            yield tokenize(line, f"{path}, line {number}")


def first_lines(paths: list[Path]) -> Iterator[str]:
    """Lines at the start of each file."""
    for path in paths:
        with path.open("rb") as file:
            for line in islice(read_lines(file, path), SEEN):
                yield line.decode("utf-8", errors="replace")


def words(rules: FolderText) -> Tokenizer:
    """What cuts a line into words."""
    return lambda line, where: rules.words(decode(line, where))


UNITS: dict[str, Tokenizer] = {
    "characters": lambda line, where: list(map(spell, decode(line, where))),
    "bytes": lambda line, where: list(map(str, line)),
}


def learn_pieces(split: Tokenizer, train: list[Path], bpe_size: int, codes: Path) -> Tokenizer:
    """Learn a BPE on the words of train, and keep its codes; what cuts a line into its pieces."""
    from .word_pieces import learn, pieces_of  # with packages that nothing else here needs

    counts: Counter[str] = Counter()
    for path in train:
        for line in read_tokens(path, split, "words of train"):
            counts.update(line)
    learn(counts, bpe_size, codes)
    # Pieces that are in train as parts of longer ones alone are cut further: no model knows them.
    bpe = pieces_of(counts, codes, codes.with_name("bpevocab"))
    return lambda line, where: bpe.segment_tokens(split(line, where))
