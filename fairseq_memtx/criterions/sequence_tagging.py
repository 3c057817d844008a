"""Cross entropy of one label a token."""

import math
from typing import Any

from fairseq import metrics
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from fairseq.models import BaseFairseqModel
from fairseq.tasks import FairseqTask
from torch import Tensor
from torch.nn import functional

UNLABELLED = -100


@register_criterion("sequence_tagging", dataclass=FairseqDataclass)
class SequenceTaggingCriterion(FairseqCriterion):
    """For models with a head for tokens, on the task ``sequence_tagging`` and those made of it.

    Targets are symbols of the label dictionary, ``B x L``. Those that are padding have no label:
    neither the loss nor the accuracy knows of them.
    """

    only_with = "it is for --task sequence_tagging and those made of it"

    def __init__(self, task: FairseqTask) -> None:
        super().__init__(task)
        self.token_head_name = task.token_head_name
        self.first_label = task.target_dictionary.nspecial

    def forward(
        self, model: BaseFairseqModel, sample: dict[str, Any], reduce: bool = True
    ) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """Loss summed over the labels in nats, number of labels, and what is logged."""
        scores, _ = model(
            **sample["net_input"], features_only=True, token_head_name=self.token_head_name
        )
        labelled = sample["target"].ne(self.padding_idx)
        # Nothing is picked out, which would make a GPU wait to be told how much there is of it.
        labels = (sample["target"] - self.first_label).masked_fill(~labelled, UNLABELLED)
        scores, labels, count = scores.float().flatten(0, 1), labels.flatten(), labelled.sum()
        loss = functional.cross_entropy(scores, labels, ignore_index=UNLABELLED, reduction="sum")
        log = {
            "loss": loss.detach(),
            "right": scores.argmax(dim=-1).eq(labels).sum(),
            "ntokens": sample["ntokens"],
            "nsentences": sample["nsentences"],
            "sample_size": count,
        }
        return loss, count, log

    @staticmethod
    def reduce_metrics(logging_outputs: list[dict[str, Any]]) -> None:
        """Log ``loss`` (of a label, base 2) and ``accuracy`` (of labels, 0 to 1)."""
        loss, right, labels = (
            sum(log.get(name, 0) for log in logging_outputs)
            for name in ("loss", "right", "sample_size")
        )
        if labels:
            metrics.log_scalar("loss", loss / labels / math.log(2), labels, round=3)
            metrics.log_scalar("accuracy", right / labels, labels, round=4)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """Yes: everything is a sum over labels."""
        return True
