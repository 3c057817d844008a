"""Words cut in two by the border between two rows, which ``fairseq-eval-lm`` counts twice."""

from __future__ import annotations

import functools
import sys
from typing import Any, Iterable, Iterator

from . import says

UPSTREAM = "no thread found: eval_lm in fairseq_cli/eval_lm.py"


def needed() -> bool:
    """Whether this fairseq still has the fault."""
    command = sys.modules.get("fairseq_cli.eval_lm")
    return command is not None and says(command.eval_lm, "tgt_len")


def mend() -> None:
    """Let the loss of ``fairseq-eval-lm --remove-bpe`` be one per word.

    Rows are cut anywhere. fairseq adds the score of a piece to that of the next one, and counts no
    word for it, unless it is the last of its row: then the word counts there, and again in the
    next row, where it ends (`eval_lm`, ``range(tgt_len - 1)``).
    """
    command: Any = sys.modules["fairseq_cli.eval_lm"]
    unchanged = command.eval_lm

    @functools.wraps(unchanged)
    def eval_lm(
        models: Any,
        source_dictionary: Any,
        batch_iterator: Iterable[Any],
        post_process: str | None = None,
        *arguments: Any,
        **more: Any,
    ) -> dict[str, float]:
        mark = {"subword_nmt": "@@", "@@ ": "@@"}.get(post_process or "")
        words = Words(batch_iterator, source_dictionary, mark) if mark else None
        batches = words or batch_iterator
        found = unchanged(models, source_dictionary, batches, post_process, *arguments, **more)
        if words and words.whole:
            loss = found["loss"] * (words.whole + words.cut) / words.whole
            found = {**found, "loss": loss, "perplexity": 2**loss}
        return found

    command.eval_lm = eval_lm


class Words:
    """Batches on their way, and how many words they have.

    Args:
        batches: of rows to score.
        dictionary: of the pieces.
        mark: at the end of every piece of a word but the last.

    Attributes:
        whole: words that end in a row.
        cut: rows at whose end a word goes on in the next.
    """

    def __init__(self, batches: Iterable[Any], dictionary: Any, mark: str) -> None:
        self.batches, self.dictionary, self.mark = batches, dictionary, mark
        self.whole = self.cut = 0

    def __iter__(self) -> Iterator[Any]:
        goes_on = [symbol.endswith(self.mark) for symbol in self.dictionary.symbols]
        pad = self.dictionary.pad()
        for batch in self.batches:
            for row in batch["target"].tolist() if "net_input" in batch else []:
                pieces = [goes_on[token] for token in row if token != pad]
                self.whole += pieces.count(False)
                self.cut += bool(pieces and pieces[-1])
            yield batch
