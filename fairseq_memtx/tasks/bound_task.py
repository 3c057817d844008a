"""What generated tasks have in common that know what can be reached without memory."""

from typing import Any, Callable, Dict, List, Optional, Tuple

from fairseq import metrics
from fairseq.criterions import FairseqCriterion
from fairseq.models import BaseFairseqModel
from fairseq.tasks import FairseqTask
from torch import Tensor


class BoundTask(FairseqTask):
    """Logs ``best_without_memory`` in validation where the model's attention is cut into chunks.

    That is the accuracy that no model can beat in the long run whose tokens see their own chunk
    alone.
    """

    bound: Callable[[int], float]  # by the length of a chunk
    best_without_memory: Optional[float] = None

    def build_model(self, cfg: Any, from_checkpoint: bool = False) -> BaseFairseqModel:
        """Build a model; one with chunks tells what could be reached without memory."""
        model = super().build_model(cfg, from_checkpoint)
        if model.args.sparse_attention == "chunked":
            self.best_without_memory = self.bound(model.args.chunk_size)
        return model

    def valid_step(
        self, sample: Dict[str, Any], model: BaseFairseqModel, criterion: FairseqCriterion
    ) -> Tuple[Tensor, int, Dict[str, Any]]:
        """Besides, note the best score without memory, weighted so that logs can be summed."""
        loss, sample_size, logging_output = super().valid_step(sample, model, criterion)
        if self.best_without_memory is not None:
            logging_output["best_without_memory"] = self.best_without_memory * sample_size
        return loss, sample_size, logging_output

    def reduce_metrics(
        self, logging_outputs: List[Dict[str, Any]], criterion: FairseqCriterion
    ) -> None:
        """Add ``best_without_memory`` (an accuracy, 0 to 1) to the log of validation."""
        super().reduce_metrics(logging_outputs, criterion)
        if any("best_without_memory" in log for log in logging_outputs):
            best, size = (
                sum(log.get(name, 0) for log in logging_outputs)
                for name in ("best_without_memory", "sample_size")
            )
            metrics.log_scalar("best_without_memory", best / size, size, round=4)
