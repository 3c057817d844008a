"""Get plain parallel text, one sentence a line, out of the files that IWSLT and WMT hand out.

    python examples/translation/extract_text.py \
        --source-files train.tags.de-en.de --target-files train.tags.de-en.en \
        --output text/train.de text/train.en \
        --hold-out-every 23 --hold-out text/valid.de text/valid.en

Several files of a side are put one after the other. How a file is read depends on its name:

    *.xml, *.sgm      the text of each <seg>, entities such as &amp; turned back
    train.tags.*      a talk's lines; title and description too, other tag lines are dropped
    anything else     plain text, as it is

The number of pairs is printed, and the number held out after it.
"""

import argparse
import html
import re
import sys
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from typing import Iterator

SEGMENT = re.compile(r"<seg\b[^>]*>(.*?)</seg>", re.DOTALL | re.IGNORECASE)
SEGMENT_START = re.compile(r"<seg\b", re.IGNORECASE)
# Both are sentences that stand in either language. fairseq's recipe learns from them too.
SENTENCE_TAG = re.compile(r"</?(?:title|description)>", re.IGNORECASE)
ABOUT_THE_TALK = re.compile(
    r"\s*</?(?:url|keywords|speaker|talkid|reviewer|translator|transcript|doc)\b", re.IGNORECASE
)


class ExtractError(Exception):
    """Something wrong with the files, told in one line."""


def main() -> int:
    """Write the text; an error is told in one line and makes the exit code 1."""
    parser = argparse.ArgumentParser(prog="extract_text", description=__doc__.splitlines()[0])
    parser.add_argument("--source-files", nargs="+", type=Path, required=True, metavar="FILE")
    parser.add_argument("--target-files", nargs="+", type=Path, required=True, metavar="FILE")
    parser.add_argument("--output", nargs=2, type=Path, required=True, metavar=("SOURCE", "TARGET"))
    parser.add_argument("--hold-out-every", type=int, metavar="N", help="put each Nth pair aside")
    parser.add_argument("--hold-out", nargs=2, type=Path, metavar=("SOURCE", "TARGET"))
    options = parser.parse_args()
    if len(options.source_files) != len(options.target_files):
        parser.error("--source-files and --target-files need the same number of files")
    if (options.hold_out_every is None) != (options.hold_out is None):
        parser.error("--hold-out-every and --hold-out need each other")
    try:
        print(*extract(options))
    except (ExtractError, OSError) as error:
        print(f"extract_text: error: {error}", file=sys.stderr)
        return 1
    return 0


def extract(options: argparse.Namespace) -> list[int]:
    """Write all pairs and count those of each output."""
    outputs = [options.output] + ([options.hold_out] if options.hold_out else [])
    counts = [0] * len(outputs)
    complete = 0
    with ExitStack() as stack:
        files = [
            [stack.enter_context(path.open("w", encoding="utf-8", newline="\n")) for path in pair]
            for pair in outputs
        ]
        for source, target in zip(options.source_files, options.target_files):
            for pair in read_pairs(source, target):
                # Half-empty pairs are useless to validate on; in train they are left out later.
                complete += all(pair)
                aside = options.hold_out and all(pair) and complete % options.hold_out_every == 0
                counts[bool(aside)] += 1
                for file, line in zip(files[bool(aside)], pair):
                    file.write(line + "\n")
    return counts


def read_pairs(source: Path, target: Path) -> Iterator[tuple[str, str]]:
    """The sentences of two files side by side, of which there must be equally many."""
    number = 0
    for number, (one, other) in enumerate(zip_longest(read(source), read(target)), start=1):
        if one is None or other is None:
            shorter, longer = (source, target) if one is None else (target, source)
            raise ExtractError(
                f"{shorter} ends after {number - 1} sentences, {longer} has more: one is cut off"
            )
        yield one, other
    if not number:
        raise ExtractError(f"{source}: no sentence found")


def read(path: Path) -> Iterator[str]:
    """The sentences of a file."""
    if path.suffix in (".xml", ".sgm"):
        return read_segments(path)
    return read_talks(path) if path.name.startswith("train.tags.") else read_lines(path)


def read_lines(path: Path) -> Iterator[str]:
    """Lines without their ends; only a newline ends one, or the two sides could shift."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield line.decode("utf-8").lstrip("\ufeff").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise ExtractError(f"{path}, line {number}: not UTF-8") from error


def read_talks(path: Path) -> Iterator[str]:
    """The sentences of IWSLT's training file."""
    for line in read_lines(path):
        if not ABOUT_THE_TALK.match(line):
            yield " ".join(html.unescape(SENTENCE_TAG.sub("", line)).split())


def read_segments(path: Path) -> Iterator[str]:
    """The segments of a file in the format of NIST; SGM need not be well-formed XML."""
    text = "\n".join(read_lines(path))
    segments = SEGMENT.findall(text)
    if len(segments) != len(SEGMENT_START.findall(text)):
        raise ExtractError(f"{path}: a <seg> has no end, the file is cut off")
    return (" ".join(html.unescape(segment).split()) for segment in segments)


if __name__ == "__main__":
    sys.exit(main())
