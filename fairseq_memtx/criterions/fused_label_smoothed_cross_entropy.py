"""fairseq's ``label_smoothed_cross_entropy``, computed faster."""

from typing import Any

from fairseq.criterions import register_criterion
from fairseq.criterions.label_smoothed_cross_entropy import (
    LabelSmoothedCrossEntropyCriterion,
    LabelSmoothedCrossEntropyCriterionConfig,
)
from fairseq.models import BaseFairseqModel
from torch import Tensor

from ..modules.label_smoothing import label_smoothed_nll


@register_criterion(
    "fused_label_smoothed_cross_entropy", dataclass=LabelSmoothedCrossEntropyCriterionConfig
)
class FusedLabelSmoothedCrossEntropy(LabelSmoothedCrossEntropyCriterion):
    """Same flags, same loss and same log as ``label_smoothed_cross_entropy``.

    For models that return logits; one with an adaptive softmax needs fairseq's ``adaptive_loss``.
    """

    takes_logits = True

    def compute_loss(
        self,
        model: BaseFairseqModel,
        net_output: tuple[Any, ...],
        sample: dict[str, Any],
        reduce: bool = True,
    ) -> tuple[Tensor, Tensor]:
        """Smoothed loss and negative log-likelihood, summed over the batch, in nats."""
        if not reduce:
            return super().compute_loss(model, net_output, sample, reduce=False)
        skip = self.ignore_prefix_size
        logits, target = net_output[0][:, skip:], model.get_targets(sample, net_output)[:, skip:]
        return label_smoothed_nll(
            logits.flatten(0, 1), target.flatten(), self.eps, self.padding_idx
        )
