"""Tasks that can validate one model over growing lengths: ``fairseq-validate --length-curve``.

Data flow: in place of fairseq's batches of rows come windows of them in order, `CurveWindows`; a
`LengthCurve` reads them, and is asked for its table when all are read.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import torch
from fairseq import metrics
from fairseq.criterions import FairseqCriterion
from fairseq.data import iterators
from fairseq.dataclass import FairseqDataclass
from fairseq.models import BaseFairseqModel
from fairseq.tasks import FairseqTask
from torch import Tensor

from ..data.facts.curve_windows import CurveWindows, lengths_of
from ..data.facts.fact_rows import FactRows
from ..errors import MemtxError
from ..flags.flag import flag
from ..modules.length_curve import LengthCurve


@dataclass
class LengthCurveConfig(FairseqDataclass):
    """What ``fairseq-validate`` is to measure."""

    length_curve: Optional[str] = flag(
        None,
        "for fairseq-validate: accuracy, time and memory over rows of so many segments, such as "
        "8,32,128",
    )
    length_curve_file: Optional[str] = flag(None, "for fairseq-validate: where to write them, too")


class LengthCurveTask(FairseqTask):
    """A task with rows that a model reads segment by segment."""

    reads_segments: bool  # whether the model does
    chance: float  # accuracy of the best guess without reading
    curve: Optional[LengthCurve] = None  # what is measured, None in all other validation

    @property
    def least_segments(self) -> int:
        """Of a row."""
        raise NotImplementedError

    def check_no_curve(self) -> None:
        """Refuse flags that mean nothing in training."""
        for name in ("length-curve", "length-curve-file"):
            if getattr(self.cfg, name.replace("-", "_")):
                raise MemtxError(f"--{name} is for fairseq-validate: leave it out of a training")

    def get_batch_iterator(self, dataset: FactRows, **kwargs: Any) -> Any:
        """fairseq's, or that of windows, which needs a model with segments and a batch size."""
        if not self.cfg.length_curve:
            if self.cfg.length_curve_file:
                raise MemtxError("--length-curve-file needs --length-curve, such as 8,32,128")
            return super().get_batch_iterator(dataset, **kwargs)
        if not self.reads_segments:
            raise MemtxError("--length-curve is for models with segments, such as --arch rmt_lm")
        rows = kwargs.get("max_sentences")
        if not rows:
            raise MemtxError("--length-curve needs --batch-size, the number of rows at a time")
        lengths = lengths_of(self.cfg.length_curve, self.least_segments)
        file = self.cfg.length_curve_file
        self.curve = LengthCurve(self.chance, Path(file) if file else None)
        windows = CurveWindows(dataset.examples, self.cfg.tokens_per_sample, lengths, rows)
        return iterators.EpochBatchIterator(
            dataset=windows,
            collate_fn=_only,
            batch_sampler=[[number] for number in range(len(windows))],
            num_workers=kwargs.get("num_workers", 0),
            disable_shuffling=True,
        )

    def valid_step(
        self, sample: Dict[str, Any], model: BaseFairseqModel, criterion: FairseqCriterion
    ) -> Tuple[Tensor, int, Dict[str, Any]]:
        """One window, or fairseq's step."""
        if self.curve is None:
            return super().valid_step(sample, model, criterion)
        self.curve.step(sample, model)
        return torch.zeros(()), 0, {}

    def reduce_metrics(
        self, logging_outputs: List[Dict[str, Any]], criterion: FairseqCriterion
    ) -> None:
        """Print the table, and log the accuracy of its last line; or log what fairseq does."""
        if self.curve is None:
            super().reduce_metrics(logging_outputs, criterion)
            return
        print(self.curve.table())
        last = self.curve.points[-1]
        metrics.log_scalar("accuracy", last.accuracy, last.examples, round=4)


def _only(samples: List[Dict[str, Any]]) -> Dict[str, Any]:
    return samples[0]
