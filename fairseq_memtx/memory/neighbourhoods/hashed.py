"""LSH attention beside a dense memory: neighbours are tokens whose keys are hashed alike.

``R`` rounds of hashing, ``C`` tokens of a chunk.
"""

import torch
from torch import Tensor

from ..quick_dropout import drop
from ..softmax_attention import softmax
from .scheme import SparseAttention, fill_up


class HashedAttention(SparseAttention):
    """A token sees those that share a chunk with it when all are sorted by the hash of their key.

    The hash is the nearest of ``buckets`` random directions, as in Reformer (arXiv:2001.04451). In
    each of ``R`` rounds, with other directions, the sorted tokens are cut into chunks of ``C``. A
    token sees all that it met in any round, each once, in one softmax with the memory.

    Unlike Reformer's, queries and keys keep projections of their own, so that the weights of a
    trained model can be loaded, and the keys alone decide who meets. The directions are drawn from
    a fixed seed: the same text always meets in the same way.

    Args:
        chunk_size: ``C``, at least 1.
        buckets: how many hashes there are, even and at least 2.
        rounds: ``R``, at least 1.
        channels: ``D``.
    """

    directions: Tensor

    def __init__(self, chunk_size: int, buckets: int, rounds: int, channels: int) -> None:
        super().__init__()
        self.chunk_size = chunk_size
        seed = torch.Generator().manual_seed(1)
        directions = torch.randn(rounds, channels, buckets // 2, generator=seed)
        self.register_buffer("directions", directions, persistent=False)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        memory_key: Tensor,
        memory_value: Tensor,
        real: Tensor | None = None,
        dropout: float = 0.0,
    ) -> Tensor:
        """Attend; see `SparseAttention.forward`."""
        length, memory_tokens = query.size(2), memory_key.size(2)
        size = min(self.chunk_size, length)
        query, key, value, real = fill_up(-length % size, query, key, value, real)
        orders = self.orders(key, real)
        chunk_of = [order.argsort(-1) // size for order in orders]  # B x H x L

        query = query * query.size(-1) ** -0.5
        scores = [query @ memory_key.transpose(-2, -1)]
        for round_, order in enumerate(orders):
            chunks = _in_chunks(query, order, size), _in_chunks(key, order, size)
            hidden = self._hidden(real, order, size, met_in=chunk_of[:round_])
            in_round = chunks[0] @ chunks[1].transpose(-2, -1)
            # Finite, so that padding that sees nothing has no undefined gradient.
            in_round = in_round.masked_fill(hidden, torch.finfo(in_round.dtype).min)
            scores.append(_back_in_order(in_round, order))
        # B x H x L x (M + R*C)
        weights = drop(softmax(torch.cat(scores, dim=-1)), dropout)
        sizes = [memory_tokens, *[size] * len(orders)]
        to_memory, *to_chunks = torch.split(weights, sizes, dim=-1)
        attended = to_memory @ memory_value
        for order, to_chunk in zip(orders, to_chunks):
            in_round = _in_chunks(to_chunk, order, size) @ _in_chunks(value, order, size)
            attended = attended + _back_in_order(in_round, order)
        return attended[:, :, :length]

    @torch.no_grad()
    def orders(self, key: Tensor, real: Tensor) -> list[Tensor]:
        """Tokens sorted by hash, in every round, ``R`` times ``B x H x L``; padding comes last."""
        near = torch.einsum("bhld,rdn->rbhln", key, self.directions.to(key))
        hashes = torch.cat([near, -near], dim=-1).argmax(dim=-1)
        hashes = hashes.masked_fill(~real.unsqueeze(1), 2 * self.directions.size(-1))
        return list(hashes.argsort(dim=-1, stable=True))

    @staticmethod
    def _hidden(real: Tensor, order: Tensor, size: int, met_in: list[Tensor]) -> Tensor:
        """Whom of its chunk a token does not see: padding, and whom it saw in an earlier round.

        Args:
            real: ``B x L``.
            order: of this round, ``B x H x L``.
            size: ``C``.
            met_in: the chunk of every token in each earlier round, ``B x H x L``.

        Returns:
            ``B x H x G x C x C``.
        """
        padding = ~real.unsqueeze(1).expand_as(order).gather(2, order)
        hidden = torch.unflatten(padding, 2, (-1, 1, size)).expand(-1, -1, -1, size, -1)
        for chunk_of in met_in:
            chunk = torch.unflatten(chunk_of.gather(2, order), 2, (-1, size))
            hidden = hidden | (chunk.unsqueeze(-1) == chunk.unsqueeze(-2))
        return hidden


def _in_chunks(x: Tensor, order: Tensor, size: int) -> Tensor:
    """Rows ``B x H x L x D`` in the given order, cut: ``B x H x G x C x D``."""
    rows = x.gather(2, order.unsqueeze(-1).expand_as(x))
    return torch.unflatten(rows, 2, (-1, size))


def _back_in_order(chunks: Tensor, order: Tensor) -> Tensor:
    """The inverse of `_in_chunks`."""
    rows = chunks.flatten(2, 3)
    return rows.gather(2, order.argsort(-1).unsqueeze(-1).expand_as(rows))
