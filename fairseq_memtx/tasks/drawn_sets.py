"""What tasks have in common that draw their examples and need no files."""

from typing import Any

from fairseq.data import Dictionary
from fairseq.models import FairseqLanguageModel
from fairseq.tasks import FairseqTask

from ..data.drawn_examples import part_named


class DrawnSetsTask(FairseqTask):
    """A task whose training set is drawn anew in every epoch.

    ``cfg`` has the number of examples in ``train_size``, ``valid_size`` and ``test_size``.
    """

    def has_sharded_data(self, split: str) -> bool:
        """Tells fairseq to load the training set anew for every epoch."""
        return True

    def size_of(self, split: str) -> int:
        """Examples of a set."""
        return getattr(self.cfg, f"{part_named(split)}_size")


class DrawnLanguageTask(DrawnSetsTask):
    """One for language models, with one dictionary."""

    needs = "a language model"
    dictionary: Dictionary
    source_dictionary: Any = property(lambda self: self.dictionary)
    target_dictionary = source_dictionary

    @staticmethod
    def fits_model(model: type) -> bool:
        """Whether a model is a language model."""
        return issubclass(model, FairseqLanguageModel)
