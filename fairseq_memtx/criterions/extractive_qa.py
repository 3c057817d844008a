"""Cross entropy of where an answer begins and ends."""

import math
from typing import Any

import torch
from fairseq import metrics
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from fairseq.models import BaseFairseqModel
from fairseq.tasks import FairseqTask
from torch import Tensor
from torch.nn import functional


@register_criterion("extractive_qa", dataclass=FairseqDataclass)
class ExtractiveQaCriterion(FairseqCriterion):
    """For models with a head for tokens, on the task ``extractive_qa``.

    The first and the last piece of an answer are two choices among the positions of the context and
    ``<s>``, which is right where a window has no answer. The question is no choice.
    """

    only_with = "it is for --task extractive_qa"

    def __init__(self, task: FairseqTask) -> None:
        super().__init__(task)
        self.token_head_name = task.token_head_name

    def forward(
        self, model: BaseFairseqModel, sample: dict[str, Any], reduce: bool = True
    ) -> tuple[Tensor, int, dict[str, Any]]:
        """Loss summed over the rows in nats, number of rows, and what is logged."""
        return self.loss(self.log_probabilities(model, sample), sample)

    def log_probabilities(self, model: BaseFairseqModel, sample: dict[str, Any]) -> Tensor:
        """Of the first and the last piece at every position, ``2 x B x L``."""
        scores, _ = model(
            **sample["net_input"], features_only=True, token_head_name=self.token_head_name
        )
        scores = scores.float().permute(2, 0, 1)
        return scores.masked_fill(~sample["allowed"], float("-inf")).log_softmax(dim=-1)

    def loss(
        self, log_probabilities: Tensor, sample: dict[str, Any]
    ) -> tuple[Tensor, int, dict[str, Any]]:
        """As `forward`, with what `log_probabilities` has given."""
        right = torch.cat([sample["starts"], sample["ends"]])
        loss = functional.nll_loss(log_probabilities.flatten(0, 1), right, reduction="sum") / 2
        rows = sample["nsentences"]
        log = {
            "loss": loss.detach(),
            "ntokens": sample["ntokens"],
            "nsentences": rows,
            "sample_size": rows,
        }
        return loss, rows, log

    @staticmethod
    def reduce_metrics(logging_outputs: list[dict[str, Any]]) -> None:
        """Log ``loss``: of a row, the mean of begin and end, base 2."""
        loss, rows = (
            sum(log.get(name, 0) for log in logging_outputs) for name in ("loss", "sample_size")
        )
        if rows:
            metrics.log_scalar("loss", loss / rows / math.log(2), rows, round=3)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """Yes: everything is a sum over rows or questions."""
        return True
