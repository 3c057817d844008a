"""Which tokens wrote memory: gradient times input.

What a segment wrote is the step that a part of memory made in it, from ``m`` to ``m'``. How far it
went is ``m' (m' - m) / |m' - m|``, with the direction taken as given, and a token's part in that is
the product of its embedding and the gradient there: to first order what would be missing without
the token. Signs are kept: a negative one held the step back.

Shapes: ``B`` rows, ``L`` tokens, ``T`` tokens of a segment, ``C`` channels.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..memory import State
from .handed_on import kept_of, vectors_of
from .text_rows import Rows
from .trained_model import TrainedModel

MOST = 12  # symbols that are listed
SEEN = 3  # times at least, for a symbol to be listed


def measure(trained: TrainedModel, rows: Rows) -> dict[str, Any]:
    """Attribute every part of memory to the tokens of each segment.

    Returns:
        ``segment_length``; ``words`` of the first row, and ``parts``, by their names a list with a
        number for each of its tokens; ``symbols``, those that write most: records of ``symbol``,
        ``times`` it was read, and ``written``, the mean over these of the sum of absolute numbers
        of all parts.
    """
    dictionary = trained.task.source_dictionary
    written: dict[str, list[Tensor]] = defaultdict(list)
    decoder = trained.model.decoder
    state: State = decoder.loop.begin({}, len(rows.tokens))
    for segment in rows.tokens.split(decoder.segment_length, dim=1):
        found, state = _attributed(decoder, segment, state)
        for part, numbers in found.items():
            written[part].append(numbers)
    whole = {part: torch.cat(pieces, dim=1) for part, pieces in written.items()}
    total = torch.stack([numbers.abs() for numbers in whole.values()]).sum(0)
    return {
        "segment_length": decoder.segment_length,
        "words": [dictionary[token] for token in rows.tokens[0].tolist()],
        "parts": {part: numbers[0].tolist() for part, numbers in whole.items()},
        "symbols": _symbols(rows.tokens, total, dictionary),
    }


def _attributed(decoder: Any, tokens: Tensor, state: State) -> tuple[dict[str, Tensor], State]:
    """Each token's part in the steps of one segment, ``B x T`` by part, and the state after it."""
    begun = vectors_of(kept_of(decoder, decoder.loop.begin(state, len(tokens))))
    with torch.enable_grad(), _embedding(decoder.embed_tokens) as embedded:
        _, after = decoder.loop.read_segment(tokens, state)
        parts = {}
        for part, vector in vectors_of(kept_of(decoder, after)).items():
            step = vector.detach() - begun.get(part, torch.zeros(())).detach()
            step = step / step.norm(dim=1, keepdim=True).clamp(min=1e-12)
            (gradient,) = torch.autograd.grad((vector * step).sum(), embedded, retain_graph=True)
            parts[part] = (gradient * embedded[0]).sum(-1).detach()
    return parts, {name: kept.detach() for name, kept in after.items()}


@contextmanager
def _embedding(table: nn.Module) -> Iterator[list[Tensor]]:
    """The rows that a table gives, as the beginning of the gradient's way."""
    rows: list[Tensor] = []

    def begin(_: nn.Module, __: Any, output: Tensor) -> Tensor:
        rows.append(output.detach().requires_grad_())
        return rows[-1]

    with table.register_forward_hook(begin):
        yield rows


def _symbols(tokens: Tensor, total: Tensor, dictionary: Any) -> list[dict[str, Any]]:
    seen, place = tokens.unique(return_inverse=True)
    times = torch.bincount(place.flatten(), minlength=len(seen))
    means = torch.bincount(place.flatten(), total.flatten().double(), len(seen)) / times
    records = [
        {"symbol": dictionary[symbol], "times": count, "written": mean}
        for symbol, count, mean in zip(seen.tolist(), times.tolist(), means.tolist())
        if count >= SEEN
    ]
    return sorted(records, key=lambda record: -record["written"])[:MOST]
