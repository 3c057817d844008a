"""``fairseq-validate`` by several workers, of which some have a batch less than the others."""

from types import SimpleNamespace
from typing import Any, Iterator

from fairseq.logging import progress_bar

from . import command, where

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/1726"


@where(lambda: getattr(command("validate"), "progress_bar", None) is progress_bar)
def mend() -> None:
    """Let ``fairseq-validate`` pass over the batch that a worker has not.

    Where the batches of a set cannot be dealt out evenly, the last workers get an empty one. The
    trainer puts another in its place; ``fairseq_cli/validate.py`` gives it to the model.
    """
    command("validate").progress_bar = SimpleNamespace(progress_bar=_over_batches)


def _over_batches(batches: Any, **options: Any) -> progress_bar.BaseProgressBar:
    return progress_bar.progress_bar(_Dealt(batches), **options)


class _Dealt:
    """Batches as they were dealt out, without the empty ones."""

    def __init__(self, batches: Any) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (batch for batch in self.batches if batch)

    def __len__(self) -> int:
        return len(self.batches)
