"""Extractive question answering: point at the part of a long document that answers a question.

Data flow: `read_questions` reads SQuAD's or HotpotQA's JSON, `cut` makes rows of it, windows where
a document is too long for one; the rest is that of every `AnsweringTask`.
"""

import logging
from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Dict, List, Optional

from fairseq.data import Dictionary, encoders
from fairseq.dataclass import FairseqDataclass
from fairseq.tasks import register_task
from omegaconf import II, MISSING

from ..data.folder_pieces import FITTING, misfit, record_of
from ..data.questions.dataset import QuestionDataset
from ..data.questions.windows import FRAME, TextEncoder, WindowedQuestion, cut
from ..data.text_encoders import used
from ..errors import MemtxError
from ..flags.flag import flag
from ..text.folder import FolderText, is_lowercase
from ..text.questions.reading import read_questions
from .answering_task import AnsweringTask

logger = logging.getLogger(__name__)


@dataclass
class ExtractiveQaConfig(FairseqDataclass):
    """Where the questions are, how they are cut, and which answers are possible."""

    data: str = flag(
        MISSING,
        "folder with dict.txt, train.json, valid.json and, if wanted, test.json in the format of "
        "SQuAD 1.1 or 2.0 or of HotpotQA",
    )
    max_positions: int = flag(512, "positions of a model: longest row of question and context")
    stride: int = flag(
        0,
        "tokens by which a window moves on where a context does not fit into one (default: half a "
        "window)",
    )
    max_question_length: int = flag(64, "tokens after which a question is cut off")
    max_answer_length: int = flag(30, "tokens of an answer, at most")
    n_best: int = flag(20, "answers to a question in --n-best-file")
    n_best_file: Optional[str] = flag(
        None,
        "write the best answers of validation to this JSON file; with several workers the others "
        "put their number after its name",
    )
    # Not called bpe: fairseq would put the name of --bpe there in place of all its settings.
    bpe_settings: Any = field(default=II("bpe"))


@register_task("extractive_qa", dataclass=ExtractiveQaConfig)
class ExtractiveQaTask(AnsweringTask):
    """Train a reader and count its right answers.

    Pieces of words are made by ``bpe`` of fairseq, or as the ``record`` of the model's folder says.
    """

    least: ClassVar[Dict[str, int]] = {**AnsweringTask.least, "max_question_length": 1}

    def __init__(
        self,
        cfg: ExtractiveQaConfig,
        dictionary: Dictionary,
        bpe: Any,
        record: Optional[FolderText] = None,
    ) -> None:
        check(cfg)
        super().__init__(cfg, dictionary)
        lowercase = record is None and is_lowercase(dictionary.symbols[dictionary.nspecial :])
        with used("--bpe"):
            self.encode = TextEncoder(dictionary, bpe, record, lowercase)
        if record is not None:
            logger.info(f"text is cut as that in {record.folder}")
        if self.encode.lowercase:
            logger.info("text is lower-cased, as the model's is")

    @classmethod
    def setup_task(cls, cfg: ExtractiveQaConfig, **kwargs: Any) -> "ExtractiveQaTask":
        """Read the dictionary and the rules of ``--bpe``."""
        file = Path(cfg.data) / "dict.txt"
        if not file.exists():
            raise MemtxError(
                f"there is no dictionary {file}: put the one of the model to be fine-tuned there, "
                "or one of fairseq-preprocess --only-source, beside train.json and valid.json"
            )
        dictionary = Dictionary.load(str(file))
        # As fairseq's masked_lm has it, so that a model trained there fits.
        dictionary.add_symbol("<mask>")
        bpe = encoders.build_bpe(cfg.bpe_settings)
        return cls(cfg, dictionary, bpe, record_of_model(cfg))

    def load_dataset(self, split: str, **kwargs: Any) -> None:
        """Read and cut the questions of a split.

        Refused are a file with something wrong, or nothing to learn from, and an ``--n-best-file``
        that cannot be written.
        """
        training = split.startswith("train")
        if self.answers_file is not None and not training:
            self.answers_file.check()  # before hours of training
        file = Path(self.cfg.data) / f"{split}.json"
        questions = read_questions(file)
        found = [q for q in questions if q.span is not None or q.may_be_unanswerable]
        if training and not found:
            raise MemtxError(
                f"no question of {file} has its answer in the context: give some that have"
            )
        kept = found if training else questions
        lengths = self.cfg.max_positions, self.cfg.max_question_length, self.cfg.stride
        windowed = list(cut(kept, self.encode, *lengths))
        dataset = QuestionDataset(windowed, self.dictionary, whole=not training)
        unknown = self._unknown(windowed)
        self.tell_unknown(split, unknown)
        logger.info(
            f"{split}: {len(questions)} questions, {len(questions) - len(found)} of them without "
            f"the answer in the context{' and left out' if training else ''}; "
            f"{dataset.rows.sum()} windows; {unknown:.2%} unknown tokens"
        )
        self.datasets[split] = dataset

    def _unknown(self, questions: List[WindowedQuestion]) -> float:
        """Share of the questions' and contexts' tokens that the dictionary does not have."""
        texts = [pieces for q in questions for pieces in (q.asked, q.context.pieces)]
        unknown = sum(int((pieces == self.dictionary.unk()).sum()) for pieces in texts)
        return unknown / max(sum(map(len, texts)), 1)


def record_of_model(cfg: ExtractiveQaConfig) -> Optional[FolderText]:
    """How the text was cut that the model knows, by the folder of its dictionary or its BPE.

    Another kind of ``--bpe``, and a folder without words, are refused.
    """
    record = record_of(Namespace(cfg=cfg), cfg.bpe_settings)
    if record is None:
        return None
    if record.unit in ("characters", "bytes"):
        raise MemtxError(
            f"the text in {record.folder} was cut into {record.unit}, and answers are made of "
            "words: use a model of words or pieces"
        )
    bpe = getattr(cfg.bpe_settings, "_name", None)
    known = FITTING[record.unit]
    if bpe not in (None, known) or (bpe is None and record.unit == "gpt2"):
        raise misfit(bpe, record)
    return record


def check(cfg: ExtractiveQaConfig) -> None:
    """Refuse lengths that do not fit each other."""
    window = cfg.max_positions - cfg.max_question_length - FRAME
    if window < 1:
        raise MemtxError(
            f"--max-positions {cfg.max_positions} leaves a context no room beside a question of "
            f"--max-question-length {cfg.max_question_length}: raise the former or lower the latter"
        )
    if not 0 <= cfg.stride <= window:
        raise MemtxError(
            f"--stride {cfg.stride} would leave out text between windows of {window} tokens, what "
            f"the longest question leaves of --max-positions: use 1 to {window}"
        )
