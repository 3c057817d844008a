"""Cut a parallel text into words and the words into pieces.

The numbers that a model reaches depend on these steps, so they give the same bytes as the commands

    sacremoses -l LANG normalize tokenize
    subword-nmt learn-joint-bpe-and-vocab -t -s BPE_SIZE
    subword-nmt apply-bpe --vocabulary VOCABULARY --vocabulary-threshold 1

except that words which are spelled like symbols of fairseq are escaped, and characters of scripts
without spaces are words (`text`). Written are ``work/NAME.words.LANG``, ``work/NAME.pieces.LANG``
and ``bpevocab.LANG``, the vocabulary. `learn` and `pieces_of` serve text in one language, too.
"""

import io
import sys
from collections import Counter
from contextlib import ExitStack, redirect_stderr
from pathlib import Path
from typing import TextIO

from subword_nmt.apply_bpe import BPE
from subword_nmt.learn_bpe import learn_bpe
from tqdm.utils import CallbackIOWrapper

from ..errors import MemtxError
from ..text.folder import FolderText, read_codes
from .folder import progress
from .parallel_text import ParallelText


def create(path: Path) -> TextIO:
    """A new text file with the same line ends on every system."""
    return path.open("w", encoding="utf-8", newline="\n")


def write_words(
    text: ParallelText,
    partial: Path,
    rules: FolderText,
    max_length: int | None = None,
    max_ratio: float | None = None,
) -> tuple[dict[str, Counter[str]], Counter[str]]:
    """Split a text into words; the untouched lines of valid and test go to ``raw/``.

    Returns:
        The words of each language with their counts, in the order of the text; and how many
        training pairs were left out, for each reason.
    """
    train = text.name == "train"
    words: dict[str, Counter[str]] = {language: Counter() for language in text.paths}
    left_out: Counter[str] = Counter()
    with ExitStack() as files, progress(f"words of {text.name}", text.pairs, unit=" pairs") as bar:

        def create_each(stem: str) -> list[TextIO]:
            return [files.enter_context(create(partial / f"{stem}.{one}")) for one in text.paths]

        words_files = create_each(f"work/{text.name}.words")
        raw_files = [] if train else create_each(f"raw/{text.name}")
        for lines in text.lines():
            bar.update()
            sides = [rules.words(line, language) for line, language in zip(lines, text.paths)]
            if train and (reason := why_left_out(sides, max_length, max_ratio)):
                left_out[reason] += 1
                continue
            for file, counts, side in zip(words_files, words.values(), sides):
                file.write(" ".join(side) + "\n")
                counts.update(side)
            for file, line in zip(raw_files, lines):
                file.write((line.lower() if rules.lowercase else line) + "\n")
    return words, left_out


def why_left_out(
    sides: list[list[str]], max_length: int | None, max_ratio: float | None
) -> str | None:
    """The reason not to learn from a pair, if there is one."""
    shorter, longer = sorted(map(len, sides))
    if not shorter:
        return "with an empty side"
    if max_length and longer > max_length:
        return "too long"
    if max_ratio and longer > max_ratio * shorter:
        return "too unequal in length"
    return None


def pieces_of(words: Counter[str], codes: Path, vocabulary: Path) -> BPE:
    """A BPE that makes only pieces of these words, and the file that says which those are."""
    pieces, counts = read_codes(codes), Counter[str]()
    for word, count in words.items():
        for piece in pieces.segment_tokens([word]):
            counts[piece] += count
    with create(vocabulary) as file:
        file.writelines(f"{piece} {count}\n" for piece, count in counts.most_common())
    return read_codes(codes, set(counts))


def learn(words: Counter[str], bpe_size: int, codes: Path) -> None:
    """Write the BPE codes; it stops by itself where the text is too small for so many."""
    lines = [f"{word} {count}" for word, count in words.items()]
    noise = io.StringIO()
    with progress("learning the BPE", bpe_size, unit=" pieces") as bar, create(codes) as file:
        ticking = CallbackIOWrapper(lambda _: bar.update(), file, "write")  # a line a piece
        try:
            with redirect_stderr(noise):
                learn_bpe(lines, ticking, bpe_size, is_dict=True, total_symbols=True)
        except (Exception, SystemExit) as error:
            sys.stderr.writelines(f"{line}\n" for line in noise.getvalue().splitlines()[-5:])
            raise MemtxError(f"subword-nmt failed to learn the BPE ({error})") from error
    if codes.read_text(encoding="utf-8").count("\n") < 2:  # the first line is a version number
        raise MemtxError("the training text is too small, or --bpe-size is, to learn any piece")


def cut_file(work: Path, text: ParallelText, language: str, pieces: BPE) -> None:
    """Write ``NAME.pieces.LANG`` from ``NAME.words.LANG``."""
    source = work / f"{text.name}.words.{language}"
    target = work / f"{text.name}.pieces.{language}"
    bar = progress(f"pieces of {text.name}.{language}", text.pairs, unit=" lines")
    with bar, source.open(encoding="utf-8", newline="\n") as words, create(target) as out:
        for line in words:
            out.write(pieces.process_line(line))
            bar.update()
