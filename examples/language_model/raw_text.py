r"""Get the plain text of train, valid and test out of the files that corpora come in.

    python examples/language_model/raw_text.py unzip enwik8.zip enwik8 --output enwik8
    python examples/language_model/raw_text.py pages slice.xml.bz2 --output pages.xml
    python examples/language_model/raw_text.py split pages.xml --at page \
        --shares 90 5 5 --output train.xml valid.xml test.xml
    python examples/language_model/raw_text.py documents wiki.test.raw --at article --output test

``unzip`` writes the file of that name, whatever folder of the archive it is in. ``pages`` writes
the ``<page>`` elements of a MediaWiki export as they are, without those that only redirect to
another page. ``split`` cuts a text where a byte, a line, a page or an article of WikiText begins:
each part ends at the first such place after its share of the bytes. ``documents`` puts a blank line
before each page or article but the first, and takes all others out. Files with Windows' ends of
lines are read like others, and UTF-16 is refused.
"""

import argparse
import bz2
import mmap
import re
import shutil
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Iterator

# What stands at the place where a text may be cut. A heading of WikiText has a blank line, which is
# a space, on either side; other lines with " = " at both ends do not.
BEGINNINGS = {
    "byte": rb"",
    "line": rb"^",
    "page": rb"^  <page>\r?\n",
    "article": rb"(?:(?<=\n \n)|(?<=\n \r\n)) = (?!= ).+(?<! =) = \r?\n \r?\n",
}


MARK = b"\xef\xbb\xbf"  # at the start of a file, as Windows has it


class RawTextError(Exception):
    """Something wrong with the files, told in one line."""


def main() -> int:
    """Do one of the four; an error is told in one line and makes the exit code 1."""
    parser = argparse.ArgumentParser(prog="raw_text", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("unzip")
    command.add_argument("archive", type=Path)
    command.add_argument("name")
    command.add_argument("--output", type=Path, required=True)
    command = commands.add_parser("pages")
    command.add_argument("export", type=Path)
    command.add_argument("--output", type=Path, required=True)
    command = commands.add_parser("split")
    command.add_argument("text", type=Path)
    command.add_argument("--at", choices=BEGINNINGS, required=True)
    command.add_argument("--shares", type=int, nargs="+", required=True, help="such as 90 5 5")
    command.add_argument("--output", type=Path, nargs="+", required=True)
    command = commands.add_parser("documents")
    command.add_argument("text", type=Path)
    command.add_argument("--at", choices=["page", "article"], required=True)
    command.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    try:
        if options.command == "unzip":
            unzip(options.archive, options.name, options.output)
        elif options.command == "pages":
            kept, redirects = pages(options.export, options.output)
            print(f"{kept} pages, and {redirects} left out that only redirect")
        elif options.command == "documents":
            count = documents(options.text, options.at, options.output)
            print(f"{options.output.name}: {count} documents")
        else:
            split(options.text, options.at, options.shares, options.output)
    except (RawTextError, OSError) as error:
        print(f"raw_text: error: {error}", file=sys.stderr)
        return 1
    return 0


def unzip(archive: Path, name: str, output: Path) -> None:
    """Write one file of an archive; its checksum in there is compared."""
    try:
        with zipfile.ZipFile(archive) as packed:
            for member in packed.namelist():
                if member.split("/")[-1] == name:
                    with packed.open(member) as source, output.open("wb") as target:
                        shutil.copyfileobj(source, target, 1 << 20)
                    return
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise RawTextError(f"{archive}: damaged or cut-off archive ({error})") from error
    raise RawTextError(f"{archive}: has no file {name}")


def pages(export: Path, output: Path) -> tuple[int, int]:
    """Write the pages that are no redirects; how many, and how many redirects there were."""
    kept = redirects = 0
    with output.open("wb") as target:
        for page in read_pages(export):
            # Inside a page's text it would be written &lt;redirect.
            if b"\n    <redirect " in page:
                redirects += 1
            else:
                target.write(page)
                kept += 1
    return kept, redirects


def read_pages(export: Path) -> Iterator[bytes]:
    """Each page of a MediaWiki export, from the first tag to the last."""
    page: list[bytes] = []
    line = b""
    try:
        with bz2.open(export) if export.suffix == ".bz2" else export.open("rb") as file:
            for line in file:
                line = line.replace(b"\r\n", b"\n")
                if page or line == b"  <page>\n":
                    page.append(line)
                if line == b"  </page>\n":
                    yield b"".join(page)
                    page = []
    except EOFError as error:
        raise RawTextError(f"{export}: cut-off file") from error
    except OSError as error:
        if error.errno:  # a trouble of the disk
            raise
        raise RawTextError(f"{export}: damaged file ({error})") from error
    if line.strip() != b"</mediawiki>":
        raise RawTextError(f"{export}: does not end as an export of MediaWiki does")


def split(text: Path, at: str, shares: list[int], outputs: list[Path]) -> None:
    """Cut a text into as many parts as there are shares, none of them empty."""
    if len(shares) != len(outputs):
        raise RawTextError("--shares and --output need the same number")
    if not text.stat().st_size:
        raise RawTextError(f"{text}: empty file")
    check_encoding(text)
    beginning = re.compile(BEGINNINGS[at], re.MULTILINE)
    with text.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        cuts = [0]
        for done in range(1, len(shares)):
            wanted = len(content) * sum(shares[:done]) // sum(shares)
            found = beginning.search(content, max(wanted, cuts[-1] + 1))
            if not found or found.start() == len(content):
                raise RawTextError(f"{text}: too short, no {at} begins after byte {wanted}")
            cuts.append(found.start())
        for output, start, end in zip(outputs, cuts, [*cuts[1:], len(content)]):
            with output.open("wb") as target:
                for position in range(start, end, 1 << 20):
                    target.write(content[position : min(position + (1 << 20), end)])


def check_encoding(text: Path) -> None:
    """Refuse a file that says at its start that it is UTF-16 or UTF-32."""
    with text.open("rb") as file:
        if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            told = "UTF-16 or UTF-32, not UTF-8; do: iconv -f UTF-16 -t UTF-8 FILE > NEW"
            raise RawTextError(f"{text}: {told}")


def documents(text: Path, at: str, output: Path) -> int:
    """Let blank lines stand between documents alone; how many documents there are."""
    if not text.stat().st_size:
        raise RawTextError(f"{text}: empty file")
    check_encoding(text)
    beginning = re.compile(BEGINNINGS[at], re.MULTILINE)
    content = text.read_bytes().replace(b"\r\n", b"\n")
    content = content[len(MARK) :] if content.startswith(MARK) else content
    cuts = [0, *(found.start() for found in beginning.finditer(content, 1)), len(content)]
    with output.open("wb") as target:
        for start, end in zip(cuts, cuts[1:]):
            lines = [line for line in content[start:end].split(b"\n") if line.strip()]
            target.write(b"\n" * bool(start) + b"".join(line + b"\n" for line in lines))
    return len(cuts) - 1


if __name__ == "__main__":
    sys.exit(main())
