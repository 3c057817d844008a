"""Lines of one language become lines of another, plain text both."""

import argparse
import logging
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from fairseq.hub_utils import GeneratorHubInterface
from fairseq.tasks.translation import TranslationTask
from omegaconf import open_dict

from ..data.folder_pieces import languages_of
from ..data.text_encoders import SEPARATOR, PiecesOfWords, SplitText, joined
from ..errors import MemtxError
from ..text.folder import FolderText
from ..text.lines import decode, read_lines
from .trained_model import TrainedModel, load

logger = logging.getLogger(__name__)

OTHERS = "fairseq-memtx translate is for translations, fairseq-memtx write for language models"
OF_SEARCH = ("beam", "lenpen", "min_len", "max_len_a", "max_len_b", "no_repeat_ngram_size")
STANDARD_INPUT = Path("standard input")


class Line(NamedTuple):
    """A line of a file."""

    text: str
    where: str


def translate(options: argparse.Namespace) -> None:
    """Translate lines of files or of standard input, and print a line for each."""
    trained = load(options, TranslationTask, OTHERS)
    with open_dict(trained.cfg):
        trained.cfg.dataset.batch_size, trained.cfg.dataset.max_tokens = options.batch_size, None
    translator = with_plain_text(trained)
    search = {name: getattr(options, name) for name in OF_SEARCH}
    # Somebody who types wants to see each line at once.
    size = 1 if not options.files and sys.stdin.isatty() else options.batch_size
    lines = read(options.files)
    while batch := list(islice(lines, size)):
        for translation in translations(translator, batch, search):
            print(translation, flush=True)


def with_plain_text(trained: TrainedModel) -> GeneratorHubInterface:
    """The hub interface of fairseq for plain text, which is cut as that of the data folder was.

    A folder without a record leaves that to ``--tokenizer`` and ``--bpe`` of the training.
    """
    hub = GeneratorHubInterface(trained.cfg, trained.task, [trained.model])
    record = FolderText.read(trained.folder)
    if record is not None and record.languages:
        source, target = languages_of(trained.task, record)
        hub.tokenizer, hub.bpe = SplitText(record, source, target), PiecesOfWords(record, source)
    elif hub.bpe is None and any(SEPARATOR in f"{word} " for word in trained.task.tgt_dict.symbols):
        logger.warning(
            f"{trained.folder} has no prepared.json: give lines that are cut into its pieces "
            f"('{SEPARATOR}'), or prepare the folder again with fairseq-memtx prepare translation"
        )
        hub.bpe = JoinedPieces()
    return hub.to(next(trained.model.parameters()).device)


class JoinedPieces:
    """A BPE for text that is cut already."""

    def encode(self, pieces: str) -> str:
        """The same."""
        return pieces

    def decode(self, pieces: str) -> str:
        """Words of pieces."""
        return joined(pieces)


def read(files: list[Path]) -> Iterator[Line]:
    """The lines of files one after the other, or of standard input."""
    for path in files or [STANDARD_INPUT]:
        with sys.stdin.buffer if path is STANDARD_INPUT else path.open("rb") as file:
            for number, line in enumerate(read_lines(file, path), start=1):
                where = f"{path}, line {number}"
                yield Line(decode(line, where), where)


def translations(hub: GeneratorHubInterface, lines: list[Line], search: dict) -> list[str]:
    """A translation for each line; that of an empty one is empty.

    Raises:
        MemtxError: if a line has more tokens than the model has positions.
    """
    texts = {
        number: hub.encode(line.text) for number, line in enumerate(lines) if line.text.strip()
    }
    longest = hub.max_positions[0]
    for number, tokens in texts.items():
        if len(tokens) > longest:
            raise MemtxError(
                f"{lines[number].where} has {len(tokens)} tokens, more than the {longest} that the "
                "model takes: give a sentence a line"
            )
    found = [""] * len(lines)
    if texts:
        for number, (best, *_) in zip(texts, hub.generate(list(texts.values()), **search)):
            found[number] = hub.decode(best["tokens"])
    return found
