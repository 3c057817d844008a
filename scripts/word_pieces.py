"""Cut a parallel text into words and the words into pieces, for ``prepare_translation.py``.

The numbers that a model reaches depend on these steps, so they give the same bytes as the commands

    sacremoses -l LANG normalize tokenize
    subword-nmt learn-joint-bpe-and-vocab -t -s BPE_SIZE
    subword-nmt apply-bpe --vocabulary VOCABULARY --vocabulary-threshold 1

Written are ``work/NAME.words.LANG``, then ``work/NAME.pieces.LANG``. `learn` and `BPE` serve text
in one language, too.
"""

from __future__ import annotations

import io
import sys
from collections import Counter
from contextlib import ExitStack, redirect_stderr
from pathlib import Path
from typing import Any, Callable, TextIO

from parallel_text import ParallelText, PrepareError

try:
    from sacremoses import MosesPunctNormalizer, MosesTokenizer
    from subword_nmt.apply_bpe import BPE
    from subword_nmt.learn_bpe import learn_bpe
    from tqdm import tqdm
except ImportError as missing:
    program = Path(sys.argv[0]).stem
    sys.exit(f"{program}: error: no {missing.name}; do: pip install -e '.[text]'")


def progress(what: str, total: int, unit: str) -> tqdm:
    """A bar on stderr; none where nobody watches, as in a log file."""
    return tqdm(desc=what, total=total, unit=unit, disable=None, leave=False)


def create(path: Path) -> TextIO:
    """A new text file with the same line ends on every system."""
    return path.open("w", encoding="utf-8", newline="\n")


def write_words(text: ParallelText, partial: Path, settings: dict[str, Any]) -> Counter[str]:
    """Split a text into words; the untouched lines of valid and test go to ``raw/``.

    Returns:
        How many training pairs were left out, for each reason.
    """
    train = text.name == "train"
    lowercase = str.lower if settings["lowercase"] else str
    splitters = [word_splitter(language, settings["dash_splits"]) for language in text.paths]
    left_out: Counter[str] = Counter()
    with ExitStack() as files, progress(f"words of {text.name}", text.pairs, " pairs") as bar:

        def create_each(stem: str) -> list[TextIO]:
            return [files.enter_context(create(partial / f"{stem}.{one}")) for one in text.paths]

        words_files = create_each(f"work/{text.name}.words")
        raw_files = [] if train else create_each(f"raw/{text.name}")
        for lines in text.lines():
            bar.update()
            # Case tells the tokenizer where a sentence ends, so it is lost only afterwards.
            sides = [lowercase(split(line)) for split, line in zip(splitters, lines)]
            if train:
                reason = why_left_out(sides, settings["max_length"], settings["max_ratio"])
                if reason:
                    left_out[reason] += 1
                    continue
            for file, words in zip(words_files, sides):
                file.write(words + "\n")
            for file, line in zip(raw_files, lines):
                file.write(lowercase(line) + "\n")
    return left_out


def word_splitter(language: str, dash_splits: bool) -> Callable[[str], str]:
    """A function from a line to its words, with a space between them.

    Special characters come out escaped (``&`` as ``&amp;``), as that command does it;
    detokenizing with sacremoses or with fairseq's ``--tokenizer moses`` turns them back.
    """
    normalizer, tokenizer = MosesPunctNormalizer(language), MosesTokenizer(language)

    def split(line: str) -> str:
        # The command leaves the newline on, and a rule for German quotation marks looks at it.
        text = normalizer.normalize(line + "\n")
        return tokenizer.tokenize(
            text, aggressive_dash_splits=dash_splits, return_str=True, escape=True
        )

    return split


def why_left_out(sides: list[str], max_length: int | None, max_ratio: float | None) -> str | None:
    """The reason not to learn from a pair, if there is one."""
    shorter, longer = sorted(len(words.split()) for words in sides)
    if not shorter:
        return "with an empty side"
    if max_length and longer > max_length:
        return "too long"
    if max_ratio and longer > max_ratio * shorter:
        return "too unequal in length"
    return None


def cut_words(texts: list[ParallelText], work: Path, bpe_size: int, codes: Path) -> None:
    """Learn the BPE on both languages of train, then cut every text with it."""
    languages = list(texts[0].paths)
    words = {language: count_words(work / f"train.words.{language}") for language in languages}
    learn(words, bpe_size, codes)
    for language in languages:
        with codes.open(encoding="utf-8") as file:
            pieces = BPE(file)
        # Second time with a vocabulary: pieces that only the other language has are cut further, as
        # the model would never have seen them on this side.
        seen = {piece for word in words[language] for piece in pieces.segment_tokens([word])}
        with codes.open(encoding="utf-8") as file:
            pieces = BPE(file, vocab=seen)
        for text in texts:
            cut_file(work, text, language, pieces)


def count_words(path: Path) -> Counter[str]:
    """Each word and how often it occurs, in the order of the text."""
    with path.open(encoding="utf-8", newline="\n") as file:
        return Counter(word for line in file for word in line.split())


def learn(words: dict[str, Counter[str]], bpe_size: int, codes: Path) -> None:
    """Write the BPE codes; it stops by itself where the text is too small for so many."""
    both: Counter[str] = Counter()
    for counts in words.values():
        both.update(counts)
    lines = [f"{word} {count}" for word, count in both.items()]
    noise = io.StringIO()
    with progress("learning the BPE", bpe_size, " pieces") as bar, create(codes) as file:
        try:
            with redirect_stderr(noise):
                learn_bpe(lines, Ticking(file, bar), bpe_size, is_dict=True, total_symbols=True)
        except (Exception, SystemExit) as error:
            sys.stderr.writelines(f"{line}\n" for line in noise.getvalue().splitlines()[-5:])
            raise PrepareError(f"subword-nmt failed to learn the BPE ({error})") from error
    if codes.read_text(encoding="utf-8").count("\n") < 2:  # the first line is a version number
        raise PrepareError("the training text is too small, or --bpe-size is, to learn any piece")


class Ticking:
    """A text file that moves a bar on at each line: subword-nmt writes one for each new piece."""

    def __init__(self, file: TextIO, bar: tqdm) -> None:
        self.file, self.bar = file, bar

    def write(self, line: str) -> None:
        """Write a line."""
        self.file.write(line)
        self.bar.update()


def cut_file(work: Path, text: ParallelText, language: str, pieces: BPE) -> None:
    """Write ``NAME.pieces.LANG`` from ``NAME.words.LANG``."""
    source = work / f"{text.name}.words.{language}"
    target = work / f"{text.name}.pieces.{language}"
    bar = progress(f"pieces of {text.name}.{language}", text.pairs, " lines")
    with bar, source.open(encoding="utf-8", newline="\n") as words, create(target) as out:
        for line in words:
            out.write(pieces.process_line(line))
            bar.update()
