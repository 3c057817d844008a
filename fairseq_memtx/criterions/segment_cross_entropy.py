"""Cross entropy of one segment after the other, for long windows and large vocabularies."""

from __future__ import annotations

import torch
from fairseq.criterions import register_criterion
from fairseq.criterions.cross_entropy import CrossEntropyCriterion, CrossEntropyCriterionConfig
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint


@register_criterion("segment_cross_entropy", dataclass=CrossEntropyCriterionConfig)
class SegmentCrossEntropy(CrossEntropyCriterion):
    """The loss and the log of ``cross_entropy`` or ``adaptive_loss``, with fewer logits in store.

    Those of one segment are there at a time; the backward pass computes them again. Beside
    ``--checkpoint-segments``, which does the same to the layers, the memory that a step needs
    hardly grows with the window. For `rmt_lm`, with and without an adaptive softmax.
    """

    def forward(self, model, sample, reduce: bool = True) -> tuple[Tensor, int, dict]:
        """Loss summed over the tokens in nats, number of tokens, and what is logged."""
        decoder, target = model.decoder, sample["target"]
        features = model(**sample["net_input"], features_only=True)[0]
        length = decoder.segment_length
        losses = []
        for segment in zip(features.split(length, dim=1), target.split(length, dim=1)):
            if torch.is_grad_enabled():
                losses.append(checkpoint(self._loss, decoder, *segment, use_reentrant=False))
            else:
                losses.append(self._loss(decoder, *segment))
        loss = torch.stack(losses).sum()
        sample_size = len(target) if self.sentence_avg else sample["ntokens"]
        log = {
            "loss": loss.detach(),
            "ntokens": sample["ntokens"],
            "nsentences": len(target),
            "sample_size": sample_size,
        }
        return loss, sample_size, log

    def _loss(self, decoder, features: Tensor, target: Tensor) -> Tensor:
        features, target = features.flatten(0, 1), target.flatten()
        if decoder.adaptive_softmax is None:
            logits, targets = [decoder.output_layer(features)], [target]
        else:
            logits, targets = decoder.adaptive_softmax(features, target)
        # Padding is among the frequent words. In a cluster of rare ones its number is a word's.
        ignored = [self.padding_idx] + [-100] * (len(targets) - 1)
        exact = torch.promote_types(features.dtype, torch.float32)
        losses = [
            functional.cross_entropy(scores.to(exact), words, ignore_index=index, reduction="sum")
            for scores, words, index in zip(logits, targets, ignored)
            if words is not None
        ]
        return torch.stack(losses).sum()
