"""Cross entropy of one segment after the other, for long windows and large vocabularies."""

from typing import Any

from fairseq.criterions import register_criterion
from fairseq.criterions.cross_entropy import CrossEntropyCriterion, CrossEntropyCriterionConfig
from fairseq.models import BaseFairseqModel
from torch import Tensor


@register_criterion("segment_cross_entropy", dataclass=CrossEntropyCriterionConfig)
class SegmentCrossEntropy(CrossEntropyCriterion):
    """The loss and the log of ``cross_entropy`` or ``adaptive_loss``, with fewer logits in store.

    Those of one segment are there at a time; the backward pass computes them again. Beside
    ``--checkpoint-segments``, which does the same to the layers, the memory that a step needs
    hardly grows with the window. For `rmt_lm`, with and without an adaptive softmax.
    """

    only_with = "it is for models with segments, such as --arch rmt_lm"

    def forward(
        self, model: BaseFairseqModel, sample: dict[str, Any], reduce: bool = True
    ) -> tuple[Tensor, int, dict[str, Any]]:
        """Loss summed over the tokens in nats, number of tokens, and what is logged."""
        target = sample["target"]
        loss, _ = model(**sample["net_input"], target=target)
        sample_size = len(target) if self.sentence_avg else sample["ntokens"]
        log = {
            "loss": loss.detach(),
            "ntokens": sample["ntokens"],
            "nsentences": len(target),
            "sample_size": sample_size,
        }
        return loss, sample_size, log
