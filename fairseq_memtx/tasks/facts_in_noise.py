"""Facts in noise: what was told once is asked at the end of a text of any length.

Data flow: a `Teller` tells stories, `FactsInNoise` puts their sentences between noise and the
question behind it, and `FactRows` makes batches, in which the answer is the only target. A model
with segments cuts the rows itself and begins each with an empty memory, so that any language model
of fairseq can be trained beside it.
"""

import random
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

import torch
from fairseq import metrics
from fairseq.criterions import FairseqCriterion
from fairseq.data import Dictionary
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.models import BaseFairseqModel, FairseqLanguageModel
from fairseq.tasks import FairseqTask, register_task
from omegaconf import II
from torch import Tensor

from ..data.facts.fact_rows import FactRows
from ..data.facts.noise import DrawnNoise
from ..data.facts.row import PLACEMENTS, room_for_noise
from ..data.facts.story_examples import FactsInNoise
from ..data.stories import make_teller
from ..errors import MemtxError
from ..flags.ignored_flags import Ignored, trains_transformer_xl

STORIES = 20  # that are told to see how short they are


@dataclass
class FactsInNoiseConfig(FairseqDataclass):
    """What is told and asked, in which noise, and how long a row is."""

    questions: str = field(default="one", metadata={"help": "what is asked: one, ..."})
    facts: int = field(default=1, metadata={"help": "K: facts of a story"})
    names: int = field(default=4, metadata={"help": "people that facts are about"})
    places: int = field(default=6, metadata={"help": "places where they are, the answers"})
    # fairseq makes a flag's choices of a type that it makes itself.
    placement: ChoiceEnum(PLACEMENTS) = field(  # type: ignore[valid-type]
        default="anywhere",
        metadata={"help": "sentences at sorted random places of the noise, or all in front"},
    )
    noise_words: Optional[int] = field(
        default=None, metadata={"help": "different words of the noise (default: 300)"}
    )
    segments: Optional[int] = field(
        default=None, metadata={"help": "S: segments of a row (default: 8)"}
    )
    tokens_per_sample: int = field(default=32, metadata={"help": "T: tokens of a segment"})
    shorter: float = field(
        default=0.5, metadata={"help": "share of training rows that have fewer segments"}
    )
    train_size: int = field(default=3200, metadata={"help": "examples of an epoch"})
    valid_size: int = field(default=320, metadata={"help": "examples for validation"})
    test_size: int = field(default=320, metadata={"help": "examples for testing"})
    max_target_positions: Optional[int] = field(
        default=None, metadata={"help": "positions that a model has (default: as many as it reads)"}
    )
    add_bos_token: bool = field(default=False, metadata={"help": "not used"})
    seed: int = II("common.seed")


@register_task("facts_in_noise", dataclass=FactsInNoiseConfig)
class FactsInNoiseTask(FairseqTask):
    """Train a language model to keep facts, and count the questions that it answers."""

    ignored_flags = (
        Ignored("add_bos_token", "the rows have no beginning-of-sentence symbols"),
        Ignored(
            "max_target_positions",
            "--backbone transformer-xl has distances in place of positions",
            when=trains_transformer_xl,
        ),
    )
    needs = "a language model"

    @staticmethod
    def fits_model(model: type) -> bool:
        """Whether a model is a language model."""
        return issubclass(model, FairseqLanguageModel)

    def __init__(self, cfg: FactsInNoiseConfig, from_checkpoint: bool = False) -> None:
        super().__init__(cfg)
        if not 0 <= cfg.shorter <= 1:
            raise MemtxError(f"--shorter {cfg.shorter} is no share: use 0 to 1")
        self.teller = make_teller(cfg.questions, cfg.facts, cfg.names, cfg.places, None)
        self.noise = DrawnNoise(cfg.noise_words or 300)
        self.dictionary = Dictionary()
        for word in (*self.teller.words, *self.noise.vocabulary):
            self.dictionary.add_symbol(word)
        self.least_segments = self._least_segments()
        self.reads_segments = True

    def _least_segments(self) -> int:
        """Segments that hold a story with its question, the shortest of some.

        Raises:
            MemtxError: if no row holds one.
        """
        numbers = random.Random(0)
        stories = [self.teller.tell(numbers, "train") for _ in range(STORIES)]
        shortest = min(-room_for_noise(story, 0) for story in stories)
        if shortest > self.segments * self.cfg.tokens_per_sample:
            raise MemtxError(
                f"a story with its question has {shortest} tokens and a row of {self.segments} "
                f"segments of --tokens-per-sample {self.cfg.tokens_per_sample} cannot hold it: "
                "raise --segments, or lower --facts"
            )
        return -(-shortest // self.cfg.tokens_per_sample)

    @property
    def segments(self) -> int:
        """Of a row, in validation and in most of training."""
        return self.cfg.segments or 8

    def build_model(self, cfg: Any, from_checkpoint: bool = False) -> BaseFairseqModel:
        """Build a model; one with segments has positions for a segment, others for a row."""
        self.reads_segments = hasattr(cfg, "memory_tokens")
        cfg.tokens_per_sample = self.cfg.tokens_per_sample
        read = self.cfg.tokens_per_sample if self.reads_segments else self.max_positions()
        cfg.max_target_positions = self.cfg.max_target_positions or read
        return super().build_model(cfg, from_checkpoint)

    def load_dataset(self, split: str, epoch: int = 1, **kwargs: Any) -> None:
        """Make a set; training draws new examples in every epoch."""
        examples = self.examples(split)
        examples.set_epoch(epoch)
        training = examples.part == "train"
        self.datasets[split] = FactRows(
            examples,
            self.cfg.tokens_per_sample,
            self.segments,
            self.cfg.shorter if training else 0.0,
            self.least_segments,
            self.reads_segments,
        )

    def examples(self, split: str) -> FactsInNoise:
        """The examples of a set."""
        sizes = {"train": self.cfg.train_size, "valid": self.cfg.valid_size}
        size = next((n for name, n in sizes.items() if split.startswith(name)), self.cfg.test_size)
        return FactsInNoise(
            self.teller,
            self.noise,
            self.dictionary,
            str(self.cfg.placement),
            size,
            self.cfg.seed,
            split,
        )

    def has_sharded_data(self, split: str) -> bool:
        """Tells fairseq to load the training set anew for every epoch."""
        return True

    def valid_step(
        self, sample: Dict[str, Any], model: BaseFairseqModel, criterion: FairseqCriterion
    ) -> Tuple[Tensor, int, Dict[str, Any]]:
        """Loss, and how many answers are right."""
        outputs: List[Any] = []
        hook = model.decoder.register_forward_hook(lambda _, __, output: outputs.append(output))
        with hook:
            loss, sample_size, logging_output = super().valid_step(sample, model, criterion)
        asked = sample["target"].ne(self.dictionary.pad())
        with torch.no_grad():
            scores = model.get_normalized_probs(outputs[0], log_probs=True)[asked]
        right = scores.argmax(dim=-1).eq(sample["target"][asked])
        logging_output.update(right=int(right.sum()), answers=len(right))
        return loss, sample_size, logging_output

    def reduce_metrics(
        self, logging_outputs: List[Dict[str, Any]], criterion: FairseqCriterion
    ) -> None:
        """Add ``accuracy`` and ``chance``, that of the best guess without the story, 0 to 1."""
        super().reduce_metrics(logging_outputs, criterion)
        right, answers = (
            sum(log.get(name, 0) for log in logging_outputs) for name in ("right", "answers")
        )
        if answers:
            metrics.log_scalar("accuracy", right / answers, answers, round=4)
            metrics.log_scalar("chance", self.teller.chance, answers, round=4)

    def max_positions(self) -> int:
        """Length of a row."""
        return self.segments * self.cfg.tokens_per_sample

    @property
    def source_dictionary(self) -> Dictionary:
        """Of facts and noise."""
        return self.dictionary

    @property
    def target_dictionary(self) -> Dictionary:
        """The same."""
        return self.dictionary
