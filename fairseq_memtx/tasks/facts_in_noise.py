"""Facts in noise: what was told once is asked at the end of a text of any length.

Data flow: a `Teller` tells stories, `FactsInNoise` puts their sentences between noise and the
question behind it, and `FactRows` makes batches, in which the answer is the only target. A model
with segments cuts the rows itself and begins each with an empty memory, so that any language model
of fairseq can be trained beside it.
"""

import logging
from dataclasses import dataclass
from typing import Any, ClassVar, Dict, List, Optional, Tuple

import torch
from fairseq import metrics
from fairseq.criterions import FairseqCriterion
from fairseq.dataclass import ChoiceEnum
from fairseq.models import BaseFairseqModel
from fairseq.tasks import register_task
from omegaconf import II
from torch import Tensor

from ..data.drawn_examples import part_named
from ..data.facts import check_answers, make_noise
from ..data.facts.fact_rows import FactRows
from ..data.facts.row import PLACEMENTS, least_segments
from ..data.facts.stages import Stages
from ..data.facts.story_examples import FactsInNoise
from ..data.facts.vocabulary import check_known, dictionary_of
from ..data.stories import Teller, make_teller
from ..errors import MemtxError
from ..flags.flag import flag
from ..flags.ignored_flags import NO_POSITIONS, Ignored
from ..modules.truncated_backpropagation import near_the_answers
from .drawn_sets import DrawnLanguageTask
from .length_curve import LengthCurveConfig, LengthCurveTask

logger = logging.getLogger(__name__)

SEGMENTS = 8  # of a row, where nothing else is said


@dataclass
class FactsInNoiseConfig(LengthCurveConfig):
    """What is told and asked, in which noise, and how long a row is."""

    questions: str = flag(
        "one",
        "what is asked: one fact, the newest of several about one person, two-hops (who has it "
        "and is where), or what qa1, qa2 or qa3 of bAbI ask",
    )
    facts: int = flag(1, "K: facts of a story, pairs of them in two hops, sentences in qa1 to qa3")
    names: int = flag(4, "people that facts are about")
    places: int = flag(6, "places where they are, the answers")
    babi: Optional[str] = flag(
        None, "folder with the files of bAbI, whose stories are told instead"
    )
    babi_task: str = flag("qa1", "which of them: qa1 to qa20")
    asked: int = flag(
        1, "questions at the end of a row, whose answers are not told; more of them teach faster"
    )
    # fairseq makes a flag's choices of a type that it makes itself.
    placement: ChoiceEnum(PLACEMENTS) = flag(  # type: ignore[valid-type]
        "anywhere", "sentences at sorted random places of the noise, or all in front"
    )
    noise: Optional[str] = flag(None, "a text file as noise (default: words that are drawn)")
    noise_words: Optional[int] = flag(
        None,
        "different words of the noise, Zipf's where they are drawn, or the most frequent ones of "
        "--noise, all others being <unk> (default: 300 drawn, 1000 of a text)",
    )
    segments: Optional[int] = flag(
        None, "S: segments of a row (default: 8, or what the curriculum says)"
    )
    tokens_per_sample: int = flag(32, "T: tokens of a segment")
    shorter: float = flag(0.5, "share of training rows that have fewer segments")
    segment_curriculum: Optional[str] = flag(
        None,
        "segments by stages, each until two validations in a row reach an accuracy "
        "(1:0.99,2:0.99,4) or for a number of updates (1:2000,2:2000,4), of fewer facts about as "
        "many people (2x2:0.9,2x4:0.9,4); they change between epochs",
    )
    bptt_depth: Optional[int] = flag(
        None,
        "segments before that of the answers through which gradients go back, in longer rows; "
        "what is before them is only read (default: all)",
    )
    train_size: int = flag(3200, "examples of an epoch")
    valid_size: int = flag(320, "examples for validation")
    test_size: int = flag(320, "examples for testing")
    max_target_positions: Optional[int] = flag(
        None, "positions that a model has (default: as many as it reads)"
    )
    add_bos_token: bool = flag(False, "not used")
    seed: int = II("common.seed")


@register_task("facts_in_noise", dataclass=FactsInNoiseConfig)
class FactsInNoiseTask(LengthCurveTask, DrawnLanguageTask):
    """Train a language model to keep facts, and count the questions that it answers."""

    ignored_flags = (
        Ignored(
            "questions facts names places asked", "--babi has its own", when=lambda cfg: cfg.babi
        ),
        Ignored("babi_task", "--babi is not given", when=lambda cfg: not cfg.babi),
        Ignored("add_bos_token", "the rows have no beginning-of-sentence symbols"),
        NO_POSITIONS,
    )
    least: ClassVar[Dict[str, int]] = {"segments": 1, "bptt_depth": 0}

    def __init__(self, cfg: FactsInNoiseConfig, from_checkpoint: bool = False) -> None:
        super().__init__(cfg)
        if not 0 <= cfg.shorter <= 1:
            raise MemtxError(f"--shorter {cfg.shorter} is no share: use 0 to 1")
        self.stages = Stages(cfg.segment_curriculum or str(cfg.segments or SEGMENTS))
        if cfg.babi and any(self.stages.facts):
            raise MemtxError(
                f"--segment-curriculum {cfg.segment_curriculum} says how many facts, and --babi "
                "has its own: leave out each x and what follows it"
            )
        self.teller = self._make_teller(cfg.facts, cfg.names)
        # Names are learnt faster if there are as few as facts, so that each comes in every story.
        self.tellers = [
            self._make_teller(facts, min(facts, cfg.names)) if facts else self.teller
            for facts in self.stages.facts
        ]
        longest = max(self.stages.segments) * cfg.tokens_per_sample
        self.noise = make_noise(cfg.noise, cfg.noise_words, longest)
        # Every book has kitchens and gardens: the construction of BABILong leaves them in.
        check_answers(self.noise, self.teller.answers, allowed=cfg.babi is not None)
        self.dictionary = dictionary_of([*self.teller.words, *self.noise.vocabulary])
        self.chance = self.teller.chance
        self.reads_segments = True
        self.updates = 0
        # What goes into checkpoints: the words that the model knows, and the place in the stages.
        words = self.dictionary.symbols[self.dictionary.nspecial :]
        self.state.merge_state_dict({"words": words, "place": self.stages.begin()})

    def _make_teller(self, facts: int, names: int) -> Teller:
        """Of so many facts, about so many people, the first ones of the list."""
        cfg = self.cfg
        return make_teller(
            cfg.questions, facts, names, cfg.places, cfg.babi, cfg.babi_task, cfg.asked
        )

    @property
    def told_by(self) -> Teller:
        """The teller of the stage."""
        return self.teller if self.cfg.length_curve else self.tellers[self.state.place["stage"]]

    @property
    def least_segments(self) -> int:
        """That hold a story and what is asked."""
        return least_segments(self.told_by, self.cfg.tokens_per_sample)

    def build_model(self, cfg: Any, from_checkpoint: bool = False) -> BaseFairseqModel:
        """Build a model; one with segments has positions for a segment, others for a row."""
        self.reads_segments = hasattr(cfg, "memory_tokens")
        cfg.tokens_per_sample = self.cfg.tokens_per_sample
        read = self.cfg.tokens_per_sample if self.reads_segments else self.max_positions()
        cfg.max_target_positions = self.cfg.max_target_positions or read
        return super().build_model(cfg, from_checkpoint)

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        """Take over the words of a trained model, and the place in the stages.

        Raises:
            MemtxError: if the model knows too few of those that are wanted.
        """
        words = state_dict.get("words", self.state.words)
        if self.datasets and words != self.state.words:
            raise MemtxError(
                "the checkpoint was trained with other words: give its --names, --places, --noise "
                "and --noise-words to go on with it"
            )
        check_known(words, self.teller.words, self.noise.words)
        super().load_state_dict(state_dict)
        last = len(self.stages.segments) - 1  # of a curriculum that may be another now
        self.state.place["stage"] = min(self.state.place["stage"], last)
        self.dictionary = dictionary_of(words)

    @property
    def segments(self) -> int:
        """Of a row, in validation and in most of training."""
        return self.cfg.segments or self.stages.segments[self.state.place["stage"]]

    def set_num_updates(self, num_updates: int) -> None:
        """The trainer tells how many updates were made, which the stages may go by."""
        self.updates = num_updates

    def load_dataset(self, split: str, epoch: int = 1, **kwargs: Any) -> None:
        """Make a set; training draws new examples in every epoch, of the stage that it is in.

        Raises:
            MemtxError: if no story fits into its rows, or a flag has no effect in training.
        """
        training = part_named(split) == "train"
        if training:
            self._check_training()
            stage = self.state.place["stage"]
            place = self.stages.go_on(self.state.place, epoch, self.updates)
            self.state.merge_state_dict({"place": place})
            if place["stage"] != stage:
                logger.info(f"stage {place['stage'] + 1}: rows of {self.segments} segments")
        if self.least_segments > self.segments and not self.cfg.length_curve:
            raise MemtxError(
                f"a story with its question needs {self.least_segments} segments of "
                f"--tokens-per-sample {self.cfg.tokens_per_sample}, and a row has {self.segments}: "
                "raise --segments (or the first stage of --segment-curriculum), or lower --facts"
            )
        examples = self.examples(split)
        examples.set_epoch(epoch)
        self.datasets[split] = FactRows(
            examples,
            self.cfg.tokens_per_sample,
            self.segments,
            self.cfg.shorter if training else 0.0,
            self.least_segments,
            self.reads_segments,
        )

    def _check_training(self) -> None:
        self.check_no_curve()
        if self.cfg.segments and self.cfg.segment_curriculum:
            raise MemtxError(
                f"--segments {self.cfg.segments} and --segment-curriculum contradict each other: "
                "leave out the former"
            )

    def examples(self, split: str) -> FactsInNoise:
        """The examples of a set."""
        size, placement, seed = self.size_of(split), str(self.cfg.placement), self.cfg.seed
        return FactsInNoise(self.told_by, self.noise, self.dictionary, placement, size, seed, split)

    def begin_valid_epoch(self, epoch: int, model: BaseFairseqModel) -> None:
        """Validation has rows as long as those of the stage."""
        self.judged = False
        for split, rows in list(self.datasets.items()):
            anew = rows.segments != self.segments or rows.examples.teller is not self.told_by
            if rows.examples.part != "train" and anew:
                self.load_dataset(split)

    def post_validate(self, model: BaseFairseqModel, stats: Dict[str, Any], agg: Any) -> None:
        """The accuracy of the first validation set, of all workers, says when a stage is learnt."""
        if not self.judged:
            place = self.stages.validated(self.state.place, agg.get_smoothed_value("accuracy"))
            self.state.merge_state_dict({"place": place})
        self.judged = True

    def train_step(
        self, sample: Dict[str, Any], model: BaseFairseqModel, *others: Any, **options: Any
    ) -> Tuple[Tensor, int, Dict[str, Any]]:
        """A step of a row, whose beginning is only read if it is far from the answers."""
        if self.cfg.bptt_depth is not None and self.reads_segments:
            length, depth = self.cfg.tokens_per_sample, self.cfg.bptt_depth
            sample = near_the_answers(sample, model, length, depth)
        return super().train_step(sample, model, *others, **options)

    def valid_step(
        self, sample: Dict[str, Any], model: BaseFairseqModel, criterion: FairseqCriterion
    ) -> Tuple[Tensor, int, Dict[str, Any]]:
        """Loss, and how many answers are right."""
        if self.curve is not None:
            return super().valid_step(sample, model, criterion)
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
            metrics.log_scalar("chance", self.chance, answers, round=4)

    def max_positions(self) -> int:
        """Length of the longest row."""
        return max(self.segments, *self.stages.segments) * self.cfg.tokens_per_sample
