"""Transformer-XL and RMT as they were published, in plain loops: slow, and easy to believe.

Written from the equations (arXiv:1901.02860 and arXiv:2207.06881, section 3; arXiv:1609.04309 for
the adaptive softmax) over weights under their published names. One text, a row at a time, float64.
A row is a vector of ``C`` channels; a segment has the rows ``[memory; words; memory]``.
"""

from typing import Sequence

import torch
from torch import Tensor
from torch.nn.functional import layer_norm

Rows = Sequence[Tensor]


class PublishedModel:
    """The model that a published state dict belongs to.

    Args:
        weights: by their published names.
        cutoffs: where each cluster of rarer words begins.
        cache_length: rows of earlier segments that every layer reads.
        memory_reads_cache: whether memory rows read them too.
        memory_at_end: whether there is a write block.
        signed_distances: let a row that looks ahead have a negative distance, as in our model, in
            place of what the published code reads there.
    """

    def __init__(
        self,
        weights: dict[str, Tensor],
        cutoffs: Sequence[int] = (),
        cache_length: int = 0,
        memory_reads_cache: bool = False,
        memory_at_end: bool = True,
        signed_distances: bool = False,
    ) -> None:
        self.weights = {name: weight.double() for name, weight in weights.items()}
        self.embedding = self.weights["word_emb.emb_layers.0.weight"]
        self.memory = self.weights.get("mem_tokens", self.embedding.new_zeros(0, 1, 1)).squeeze(1)
        self.heads = len(self.weights["r_w_bias"])
        self.layers = len({name.split(".")[1] for name in weights if name.startswith("layers.")})
        self.cutoffs, self.cache_length = list(cutoffs), cache_length
        self.memory_reads_cache, self.memory_at_end = memory_reads_cache, memory_at_end
        self.signed_distances = signed_distances

    def losses(self, words: Sequence[int], targets: Sequence[int], segment: int) -> list[float]:
        """Negative log-probabilities of the targets of a text, segment by segment."""
        memory: Rows = list(self.memory)
        caches: list[Rows] = [[] for _ in range(self.layers)]
        losses = []
        for start in range(0, len(words), segment):
            part = slice(start, start + segment)
            hidden, memory = self.read(words[part], memory, caches)
            losses += [self.loss(row, target) for row, target in zip(hidden, targets[part])]
        return losses

    def read(self, words: Sequence[int], memory: Rows, caches: list[Rows]) -> tuple[Rows, Rows]:
        """Outputs of the words of a segment and of its memory; the caches move on."""
        rows = [self.embedding[word] * self.embedding.size(1) ** 0.5 for word in words]
        rows = [*memory, *rows, *(memory if self.memory_at_end else [])]
        for layer in range(self.layers):
            cached = caches[layer]
            caches[layer] = [*cached, *rows][-self.cache_length :] if self.cache_length else []
            rows = self.layer(f"layers.{layer}", rows, cached)
        first, last = len(memory), len(memory) + len(words)
        return rows[first:last], rows[last:] if self.memory_at_end else rows[:first]

    def layer(self, name: str, rows: Rows, cached: Rows) -> Rows:
        """Attention and feed-forward over the rows of a segment."""
        outputs = []
        for index, row in enumerate(rows):
            attended = self.attend(f"{name}.dec_attn", index, rows, cached)
            row = self.norm(f"{name}.dec_attn", row + attended)
            inner = self.linear(f"{name}.pos_ff.CoreNet.0", row).relu()
            outputs.append(
                self.norm(f"{name}.pos_ff", row + self.linear(f"{name}.pos_ff.CoreNet.3", inner))
            )
        return outputs

    def attend(self, name: str, index: int, rows: Rows, cached: Rows) -> Tensor:
        """What row ``index`` gathers from the cache and its segment."""
        everything = [*cached, *rows]
        place = len(cached) + index
        seen = [other for other in range(len(everything)) if self.sees(place, other, cached, rows)]
        outputs = []
        for head in range(self.heads):
            scores, values = [], []
            for other in seen:
                query, _, _ = self.projections(name, head, everything[place])
                _, key, value = self.projections(name, head, everything[other])
                content = (query + self.weights["r_w_bias"][head]) @ key
                position = self.position_term(name, head, place, other, everything)
                scores.append((content + position) / len(query) ** 0.5)
                values.append(value)
            weights = torch.stack(scores).softmax(0)
            outputs.append(sum(weight * value for weight, value in zip(weights, values)))
        return self.linear(f"{name}.o_net", torch.cat(outputs))

    def sees(self, place: int, other: int, cached: Rows, rows: Rows) -> bool:
        """Whether the row at ``place`` (the cache counted) sees the one at ``other``."""
        index, other = place - len(cached), other - len(cached)
        blocks = [range(len(self.memory))]
        if self.memory_at_end:
            blocks.append(range(len(rows) - len(self.memory), len(rows)))
        if other < 0:
            return self.memory_reads_cache or not any(index in block for block in blocks)
        return other <= index or any(index in block and other in block for block in blocks)

    def projections(self, name: str, head: int, row: Tensor) -> list[Tensor]:
        """Query, key and value of a head."""
        of_all_heads = self.linear(f"{name}.qkv_net", row).chunk(3)
        return [part.chunk(self.heads)[head] for part in of_all_heads]

    def position_term(
        self, name: str, head: int, place: int, other: int, everything: Rows
    ) -> Tensor | float:
        """``(q_i + v) W r_(i-j)``, and for a row that looks ahead what stands in its place.

        The published code shifts a table of the terms of distances ``K - 1`` to 0 by one column a
        row. Left of the diagonal every row finds its own terms. Right of it comes first the zero
        with which the shift pads each row, and then the terms of the next row, from the largest
        distance on.
        """
        distance = place - other
        if distance < 0 and not self.signed_distances:
            if distance == -1:
                return 0.0
            place, distance = place + 1, len(everything) + 1 + distance
        query, _, _ = self.projections(name, head, everything[place])
        position = self.linear(f"{name}.r_net", self.sinusoids(distance)).chunk(self.heads)[head]
        return (query + self.weights["r_r_bias"][head]) @ position

    def sinusoids(self, distance: int) -> Tensor:
        """Sines, then cosines, of a distance."""
        channels = self.embedding.size(1)
        steps = torch.arange(0, channels, 2, dtype=torch.float64) / channels
        angles = distance / 10000**steps
        return torch.cat([angles.sin(), angles.cos()])

    def loss(self, row: Tensor, word: int) -> float:
        """Negative log-probability of a word."""
        logits = self.embedding @ row + self.weights["crit.out_layers.0.bias"]
        if not self.cutoffs:
            return -float(logits.log_softmax(0)[word])
        edges = [0, *self.cutoffs, len(logits)]
        cluster = max(number for number, edge in enumerate(edges) if edge <= word)
        clusters = self.weights["crit.cluster_weight"] @ row + self.weights["crit.cluster_bias"]
        head = torch.cat([logits[: edges[1]], clusters]).log_softmax(0)
        if cluster == 0:
            return -float(head[word])
        tail = logits[edges[cluster] : edges[cluster + 1]].log_softmax(0)
        # Cluster 1 is the last column of the head, cluster 2 the last but one.
        return -float(head[-cluster] + tail[word - edges[cluster]])

    def linear(self, name: str, row: Tensor) -> Tensor:
        """A linear map, with its bias if it has one."""
        return self.weights[f"{name}.weight"] @ row + self.weights.get(f"{name}.bias", 0.0)

    def norm(self, name: str, row: Tensor) -> Tensor:
        """The norm after a sub-layer."""
        weight, bias = (self.weights[f"{name}.layer_norm.{kind}"] for kind in ("weight", "bias"))
        return layer_norm(row, row.shape, weight, bias)
