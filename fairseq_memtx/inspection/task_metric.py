"""How good a model is at its task: BLEU, accuracy, or bits."""

from argparse import Namespace
from typing import Any, NamedTuple

import torch
from fairseq import metrics, utils
from fairseq.tasks.translation import TranslationTask

from ..data.folder_pieces import languages_of, record_of
from ..data.text_encoders import SplitText
from .trained_model import TrainedModel

# What validation logs, the best first. Without nll_loss the loss is the same: nothing is smoothed.
NAMES = {
    "accuracy": "accuracy",
    "exact_match": "exact match",
    "f1": "F1",
    "nll_loss": "bits per symbol",
    "loss": "bits per symbol",
}


class Metric(NamedTuple):
    """A number, and what it is."""

    name: str
    value: float


def measure(trained: TrainedModel, model: Any, beam: int) -> Metric:
    """Of the set, as validation measures it; for translation BLEU, with ``beam`` translations."""
    if isinstance(trained.task, TranslationTask):
        return Metric("BLEU", _bleu(trained, model, beam))
    logs = [trained.step(sample, model)[2] for sample in trained.samples]
    with metrics.aggregate(new_root=True) as found:
        trained.task.reduce_metrics(logs, trained.criterion)
        values = found.get_smoothed_values()
    name = next(name for name in NAMES if name in values)
    return Metric(NAMES[name], float(values[name]))


def _bleu(trained: TrainedModel, model: Any, beam: int) -> float:
    from sacrebleu import corpus_bleu

    task = trained.task
    generator = task.build_generator([model], Namespace(beam=beam))
    text = _Text(task)
    said, wanted = [], []
    for sample in trained.samples:
        with torch.no_grad():
            found = task.inference_step(generator, [model], sample)
        said += [text.of(best[0]["tokens"], "UNKNOWNTOKENINHYP") for best in found]
        pad = text.dictionary.pad()
        wanted += [
            text.of(utils.strip_pad(target, pad), "UNKNOWNTOKENINREF")
            for target in sample["target"]
        ]
    return float(corpus_bleu(said, [wanted]).score)


class _Text:
    """Tokens of a translation as text, put together as its data folder says."""

    def __init__(self, task: Any) -> None:
        self.dictionary = task.target_dictionary
        in_pieces = any(symbol.startswith("\u2581") for symbol in self.dictionary.symbols)
        self.pieces = "sentencepiece" if in_pieces else "@@ "
        record = record_of(task)
        split = record is not None and record.moses and record.languages
        self.words = SplitText(record, *languages_of(task, record)) if record and split else None

    def of(self, tokens: torch.Tensor, unknown: str) -> str:
        """The text, with a word for those that are unknown, which are no match for each other."""
        words = self.dictionary.string(tokens.int(), self.pieces, unk_string=unknown)
        return self.words.decode(words) if self.words else words
