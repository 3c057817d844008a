"""Give every token a label: from a folder of two texts, and what other tagging tasks build on.

Data flow: a row is ``<s> token ... token </s>``; its target has a label of the label dictionary for
every token and padding, which no loss counts, at both ends. The task gives the model a head with
one score for every label, and the criterion ``sequence_tagging`` asks for it by name.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairseq.data import Dictionary
from fairseq.dataclass import FairseqDataclass
from fairseq.tasks import register_task
from omegaconf import MISSING

from ..data import data_folder
from ..data.tagged_text import PREPROCESS, TaggedText, count_labels
from ..errors import MemtxError
from ..flags.flag import flag
from .token_task import TokenTask


class TaggingTask(TokenTask):
    """What all tagging tasks have in common."""

    token_head_name = "tags"
    criterion_name = "sequence_tagging"

    def __init__(self, cfg: Any, dictionary: Dictionary, label_dictionary: Dictionary) -> None:
        super().__init__(cfg, dictionary, scores=count_labels(label_dictionary))
        self.label_dictionary = label_dictionary

    @property
    def target_dictionary(self) -> Dictionary:
        """Of labels."""
        return self.label_dictionary


@dataclass
class SequenceTaggingConfig(FairseqDataclass):
    """Where the texts are, and how long their lines may be."""

    data: str = flag(
        MISSING,
        "folder with input0 and label, each as fairseq-preprocess --only-source writes it, with "
        "one label for every token",
    )
    max_positions: int = flag(512, "positions that a model has, two of them for <s> and </s>")


@register_task("sequence_tagging", dataclass=SequenceTaggingConfig)
class SequenceTaggingTask(TaggingTask):
    """Tag the tokens of a text, such as its named entities."""

    @classmethod
    def setup_task(cls, cfg: SequenceTaggingConfig, **kwargs: Any) -> "SequenceTaggingTask":
        """Read both dictionaries; a word with a byte order mark in front is refused."""
        dictionaries = []
        for side in ("input0", "label"):
            path = Path(cfg.data) / side / "dict.txt"
            if not path.exists():
                raise MemtxError(f"there is no dictionary {path}: {PREPROCESS}")
            dictionaries.append(Dictionary.load(str(path)))
            marked = [word for word in dictionaries[-1].symbols if word.startswith("\ufeff")]
            if marked:
                raise MemtxError(
                    f"{path} has '{marked[0][1:]}' with a byte order mark in front, from the start "
                    f"of a file: take the mark out of the text and {PREPROCESS}"
                )
        # As fairseq's masked_lm has it, so that a model trained there fits.
        dictionaries[0].add_symbol("<mask>")
        return cls(cfg, *dictionaries)

    def load_dataset(
        self, split: str, epoch: int = 1, combine: bool = False, **kwargs: Any
    ) -> None:
        """Load a split, whose lines are all looked at."""
        texts, labels = (
            self._load(Path(self.cfg.data) / side / split, dictionary, combine)
            for side, dictionary in (("input0", self.dictionary), ("label", self.label_dictionary))
        )
        dataset = TaggedText(texts, labels, self.dictionary, self.label_dictionary)
        dataset.check(split, self.max_positions())
        self.tell_unknown(split, dataset.unknown())
        self.datasets[split] = dataset

    @staticmethod
    def _load(path: Path, dictionary: Dictionary, combine: bool) -> Any:
        binary = Path(f"{path}.bin")
        if not binary.exists():
            raise MemtxError(f"there is no {binary}: {PREPROCESS}")
        return data_folder.load(str(path), dictionary, combine=combine)
