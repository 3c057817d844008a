"""A trained model with all that is needed to try it: its task, its criterion and a set of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from fairseq import checkpoint_utils
from torch import nn
from tqdm import tqdm

from ..data.streams import Text
from ..errors import MemtxError
from ..models.gmat_roberta import GmatRobertaModel
from ..models.mem_transformer import MemoryTransformerModel
from ..models.rmt_lm import RmtLanguageModel

SEGMENTS_SHOWN = 4  # of a text, as an example
FAMILIES = (MemoryTransformerModel, RmtLanguageModel, GmatRobertaModel)


class NotMeasured(MemtxError):
    """What this set is too small or too short for, while other things can be measured."""


@dataclass
class TrainedModel:
    """What a checkpoint says, ready to be tried.

    Attributes:
        model: in evaluation mode, on the CPU.
        task: of its training.
        criterion: of its training.
        cfg: all settings of its training.
        split: name of the set that is read.
        samples: batches of that set, in order.
    """

    model: Any
    task: Any
    criterion: Any
    cfg: Any
    split: str
    samples: list[dict[str, Any]]

    @property
    def memory_tokens(self) -> int:
        """``M``."""
        return int(self.cfg.model.memory_tokens)

    @property
    def reads_text(self) -> bool:
        """Whether the set is one text, which is read on and on."""
        return isinstance(self.task.dataset(self.split), Text)

    @property
    def is_recurrent(self) -> bool:
        """Whether it is of the family rmt_lm."""
        return isinstance(self.model, RmtLanguageModel)

    @property
    def is_translator(self) -> bool:
        """Whether it is of the family mem_transformer."""
        return isinstance(self.model, MemoryTransformerModel)

    def read(self, what: str) -> Iterator[dict[str, Any]]:
        """All batches in order, with a bar."""
        yield from tqdm(self.samples, desc=what, leave=False)

    def example(self, index: int) -> dict[str, Any]:
        """One example of the set as a batch, or as much of a text as one window has.

        Raises:
            MemtxError: if there is no such example.
        """
        dataset = self.task.dataset(self.split)
        if isinstance(dataset, Text):
            length = self.model.decoder.segment_length * SEGMENTS_SHOWN
            tokens = dataset.read(index * length, (index + 1) * length)
            if not len(tokens):
                raise MemtxError(f"--example {index} is behind the end of the text")
            return {"net_input": {"src_tokens": tokens.unsqueeze(0)}, "nsentences": 1}
        if not 0 <= index < len(dataset):
            raise MemtxError(
                f"--example {index} is out of range: the set '{self.split}' has examples 0 to "
                f"{len(dataset) - 1}"
            )
        sample: dict[str, Any] = dataset.collater([dataset[index]])
        return sample

    def step(self, sample: dict[str, Any], model: nn.Module | None = None) -> Any:
        """Let a model read a batch: its loss and what is logged, as in validation."""
        model = self.model if model is None else model
        with torch.no_grad():
            return self.task.valid_step(sample, model, self.criterion)

    def look(self, sample: dict[str, Any]) -> None:
        """Let the model read a batch once, whatever else validation would do with it."""
        with torch.no_grad():
            if "window" in sample:  # of a text, whose task hands the state on
                self.task.valid_step(sample, self.model, self.criterion)
            elif isinstance(self.model, GmatRobertaModel):
                self.model(**sample["net_input"], features_only=True)
            else:
                self.model(**sample["net_input"])


def load(
    checkpoint: Path, data: Path | None, split: str | None, examples: int | None, batch_size: int
) -> TrainedModel:
    """Load a checkpoint and a set.

    Args:
        checkpoint: that ``fairseq-train`` wrote.
        data: folder; where it was in training, if None.
        split: name of the set; ``test``, or ``valid`` where there is none, if None.
        examples: so many of the set are enough; all, if None.
        batch_size: examples read at a time, or streams of a text.

    Raises:
        MemtxError: if there is no such checkpoint or set, or the model has no memory.
    """
    if not checkpoint.exists():
        raise MemtxError(f"there is no checkpoint {checkpoint}: give one that fairseq-train wrote")
    overrides = {} if data is None else {"data": str(data)}
    (model,), cfg, task = checkpoint_utils.load_model_ensemble_and_task(
        [str(checkpoint)], overrides
    )
    if not isinstance(model, FAMILIES):
        raise MemtxError(f"{checkpoint} is of no model with memory: give one of this package")
    if not cfg.model.memory_tokens:
        raise MemtxError(f"the model in {checkpoint} has no memory: train it with --memory-tokens")
    criterion = task.build_criterion(cfg.criterion)
    criterion.eval()
    split = _loaded(task, split)
    return TrainedModel(
        model.eval(), task, criterion, cfg, split, _batches(task, split, examples, batch_size)
    )


def _loaded(task: Any, split: str | None) -> str:
    """The name of the set, once it is loaded."""
    for name in [split] if split else ["test", "valid"]:
        try:
            task.load_dataset(name, combine=False, epoch=1)
        except (FileNotFoundError, MemtxError):
            if name == (split or "valid"):
                raise
        else:
            return name
    raise AssertionError


def _batches(task: Any, split: str, examples: int | None, batch_size: int) -> list[dict[str, Any]]:
    dataset = task.dataset(split)
    if isinstance(dataset, Text):
        windows = task.get_batch_iterator(dataset, batch_size).next_epoch_itr(shuffle=False)
        count = None if examples is None else -(-examples // batch_size)
        return list(islice(windows, count))
    count = len(dataset) if examples is None else min(examples, len(dataset))
    # Of about one length, so that there is little padding.
    order = sorted(range(count), key=dataset.num_tokens)
    return [
        dataset.collater([dataset[index] for index in order[begin : begin + batch_size]])
        for begin in range(0, count, batch_size)
    ]
