"""Cross entropy of one segment after the other, so that few logits are in store at a time.

Shapes: ``B`` streams, ``T`` tokens of a segment, ``C`` channels.
"""

import torch
from fairseq.models import FairseqIncrementalDecoder
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint


def segment_loss(decoder: FairseqIncrementalDecoder, features: Tensor, target: Tensor) -> Tensor:
    """Loss summed over the tokens, in nats. The backward pass computes the logits again.

    Args:
        decoder: whose output layer or adaptive softmax gives the logits.
        features: ``B x text x C``.
        target: ``B x text``; padding counts nothing.
    """
    length = decoder.segment_length
    losses = []
    for segment in zip(features.split(length, dim=1), target.split(length, dim=1)):
        if torch.is_grad_enabled():
            losses.append(checkpoint(_loss, decoder, *segment, use_reentrant=False))
        else:
            losses.append(_loss(decoder, *segment))
    return torch.stack(losses).sum()


def _loss(decoder: FairseqIncrementalDecoder, features: Tensor, target: Tensor) -> Tensor:
    """Of one segment."""
    features, target = features.flatten(0, 1), target.flatten()
    if decoder.adaptive_softmax is None:
        logits, targets = [decoder.output_layer(features)], [target]
    else:
        logits, targets = decoder.adaptive_softmax(features, target)
        for cluster, tail in enumerate(decoder.adaptive_softmax.tail, 1):
            if targets[cluster] is None:
                # Of no rows: data parallelism waits for the gradient of every cluster.
                logits[cluster], targets[cluster] = tail(features[:0]), target[:0]
    # Padding is among the frequent words. In a cluster of rare ones its number is a word's.
    ignored = [decoder.padding_idx] + [-100] * (len(targets) - 1)
    exact = torch.promote_types(features.dtype, torch.float32)
    losses = [
        functional.cross_entropy(scores.to(exact), words, ignore_index=index, reduction="sum")
        for scores, words, index in zip(logits, targets, ignored)
    ]
    return torch.stack(losses).sum()
