"""Words cut in two by the border between two rows, which ``fairseq-eval-lm`` counts twice."""

from collections import Counter
from typing import Any, Iterable, Iterator

from . import around

UPSTREAM = "no thread found: eval_lm in fairseq_cli/eval_lm.py"


@around("fairseq_cli.eval_lm:eval_lm", told_by="tgt_len")
def mend(
    unchanged: Any,
    models: Any,
    source_dictionary: Any,
    batch_iterator: Iterable[Any],
    post_process: str | None = None,
    *arguments: Any,
    **more: Any,
) -> dict[str, float]:
    """Let the loss of ``fairseq-eval-lm --remove-bpe`` be one per word.

    Rows are cut anywhere. fairseq adds the score of a piece to that of the next one, and counts no
    word for it, unless it is the last of its row: then the word counts there, and again in the
    next row, where it ends (`eval_lm`, ``range(tgt_len - 1)``).
    """
    mark = {"subword_nmt": "@@", "@@ ": "@@"}.get(post_process or "")
    counts: Counter[str] = Counter()
    if mark is not None:
        batch_iterator = _counted(batch_iterator, source_dictionary, mark, counts)
    found = unchanged(models, source_dictionary, batch_iterator, post_process, *arguments, **more)
    if counts["words"]:
        loss = found["loss"] * counts.total() / counts["words"]
        found = {**found, "loss": loss, "perplexity": 2**loss}
    return found


def _counted(
    batches: Iterable[Any], dictionary: Any, mark: str, counts: Counter[str]
) -> Iterator[Any]:
    """Batches on their way.

    Counts the words that end in a row, and the ``cut`` ones, which go on in the next. All pieces
    of a word but the last end with the ``mark``.
    """
    goes_on = [symbol.endswith(mark) for symbol in dictionary.symbols]
    pad = dictionary.pad()
    for batch in batches:
        for row in batch["target"].tolist() if "net_input" in batch else []:
            pieces = [goes_on[token] for token in row if token != pad]
            counts["words"] += pieces.count(False)
            counts["cut"] += bool(pieces and pieces[-1])
        yield batch
