"""Reading, without files: which of the facts of a long document is the one that is asked for?

Data flow: `FactDocuments` draws a question, and behind it a document of noise with facts in it, far
away. The model points at the fact, as in ``extractive_qa``. Where its attention is cut into chunks,
validation logs ``best_without_memory``: the accuracy that no model can beat in the long run whose
tokens see their own chunk alone.
"""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional

from fairseq import metrics
from fairseq.criterions import FairseqCriterion
from fairseq.dataclass import FairseqDataclass
from fairseq.tasks import register_task
from omegaconf import II

from ..data.facts import make_noise
from ..data.facts.documents import QUESTION, FactDocuments
from ..data.facts.vocabulary import dictionary_of
from ..data.questions.dataset import QuestionDataset
from ..data.questions.windows import FRAME
from ..data.stories.told_facts import FactsApart
from ..errors import MemtxError
from ..flags.flag import flag
from .answering_task import AnsweringTask
from .bound_task import BoundTask
from .drawn_sets import DrawnSetsTask


@dataclass
class ReadingConfig(FairseqDataclass):
    """What a document tells, and how long it is; the sizes are those that are learnt in minutes."""

    facts: int = flag(2, "K: facts of a document, each about another person")
    names: int = flag(2, "people that facts are about")
    places: int = flag(2, "places where they are")
    sequence_length: int = flag(20, "L: words of a document, the question not counted")
    distance: int = flag(4, "words of noise at least between the question and the first fact")
    noise_words: int = flag(4, "different words of the noise, Zipf's")
    train_size: int = flag(3200, "examples of an epoch")
    valid_size: int = flag(320, "examples for validation")
    test_size: int = flag(320, "examples for testing")
    max_positions: Optional[int] = flag(
        None, "positions that a model has (default: a whole row, L + 7)"
    )
    max_answer_length: int = flag(4, "words of an answer, at most; a fact has four")
    n_best: int = flag(20, "answers to a question in --n-best-file")
    n_best_file: Optional[str] = flag(
        None, "write the best answers of validation to this JSON file"
    )
    seed: int = II("common.seed")


@register_task("reading", dataclass=ReadingConfig)
class ReadingTask(BoundTask, DrawnSetsTask, AnsweringTask):
    """Train a reader of generated documents and count its right answers."""

    def __init__(self, cfg: ReadingConfig) -> None:
        self.teller = FactsApart(cfg.facts, cfg.names, cfg.places)
        self.noise = make_noise(None, cfg.noise_words, 0)
        super().__init__(cfg, dictionary_of([*self.teller.words, *self.noise.vocabulary]))
        row = cfg.sequence_length + QUESTION + FRAME
        if self.max_positions() < row:
            raise MemtxError(
                f"--max-positions {cfg.max_positions} is too small: a row has {row} positions, "
                "leave the flag out or lower --sequence-length"
            )
        self.bound = self.documents("valid").best_without_memory

    @classmethod
    def setup_task(cls, cfg: ReadingConfig, **kwargs: Any) -> "ReadingTask":
        """Make the task of these sizes."""
        return cls(cfg)

    def documents(self, split: str) -> FactDocuments:
        """The examples of a set."""
        sizes = self.cfg.sequence_length, self.cfg.distance, self.size_of(split)
        return FactDocuments(self.teller, self.noise, self.dictionary, *sizes, self.cfg.seed, split)

    def load_dataset(self, split: str, epoch: int = 1, **kwargs: Any) -> None:
        """Make a set; training draws new examples in every epoch."""
        documents = self.documents(split)
        documents.set_epoch(epoch)
        questions = [documents[index] for index in range(len(documents))]
        whole = documents.part != "train"
        self.datasets[split] = QuestionDataset(questions, self.dictionary, whole)

    def max_positions(self) -> int:
        """A whole row, if nothing else is asked for."""
        return self.cfg.max_positions or self.cfg.sequence_length + QUESTION + FRAME

    def reduce_metrics(
        self, logging_outputs: List[Dict[str, Any]], criterion: FairseqCriterion
    ) -> None:
        """Add ``accuracy`` and ``chance``, that of who points at any fact, 0 to 1."""
        super().reduce_metrics(logging_outputs, criterion)
        right, questions = (
            sum(log.get(name, 0) for log in logging_outputs)
            for name in ("exact_match", "questions")
        )
        if questions:
            metrics.log_scalar("accuracy", right / questions, questions, round=4)
            metrics.log_scalar("chance", 1 / self.cfg.facts, questions, round=4)
