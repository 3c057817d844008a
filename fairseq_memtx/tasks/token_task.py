"""What tasks have in common in which a model gives every token some scores: labels, or borders."""

import logging
from contextlib import nullcontext
from typing import Any

from fairseq.criterions import CRITERION_REGISTRY, FairseqCriterion
from fairseq.data import Dictionary
from fairseq.models import BaseFairseqModel
from fairseq.tasks import FairseqTask
from omegaconf import OmegaConf, open_dict

from ..errors import MemtxError

logger = logging.getLogger(__name__)

MANY = 0.2  # a share of unknown tokens that is told


class TokenTask(FairseqTask):
    """A task that gives its model a head for tokens, which its criterion asks for by name.

    The head gives every token so many scores; ``cfg.max_positions`` is the longest row.
    """

    token_head_name: str  # of the head
    criterion_name: str  # the only criterion that makes sense
    needs = "a model with heads for tokens"

    @staticmethod
    def fits_model(model: type) -> bool:
        """Whether a model can have heads for tokens."""
        return hasattr(model, "register_token_head")

    def __init__(self, cfg: Any, dictionary: Dictionary, scores: int) -> None:
        super().__init__(cfg)
        self.dictionary = dictionary
        self.scores = scores

    def build_model(self, cfg: Any, from_checkpoint: bool = False) -> BaseFairseqModel:
        """Build a model for rows of this length, with a head; one that can have none is refused."""
        with open_dict(cfg) if OmegaConf.is_config(cfg) else nullcontext():
            cfg.max_positions = self.max_positions()
        model = super().build_model(cfg, from_checkpoint)
        if not self.fits_model(type(model)):
            raise MemtxError(
                f"--task {self.cfg._name} needs {self.needs}, such as --arch gmat_roberta"
            )
        model.register_token_head(self.token_head_name, self.scores)
        return model

    def build_criterion(self, cfg: Any, from_checkpoint: bool = False) -> FairseqCriterion:
        """Build the criterion; another, such as fairseq's default for words, is refused."""
        wanted = CRITERION_REGISTRY[self.criterion_name]
        if not issubclass(CRITERION_REGISTRY.get(cfg._name, wanted), wanted):
            raise MemtxError(f"--task {self.cfg._name} needs --criterion {self.criterion_name}")
        return super().build_criterion(cfg, from_checkpoint)

    def tell_unknown(self, split: str, share: float) -> None:
        """Warn of a split with too large a share of tokens that the dictionary does not have.

        It was cut in another way, or is of another language or case.
        """
        if share > MANY:
            logger.warning(
                f"{share:.0%} of the tokens of '{split}' are unknown: is dict.txt that of the "
                "model, and was this text cut as the model's was (pieces, punctuation, case)?"
            )

    def max_positions(self) -> int:
        """Longest row, ``<s>`` and ``</s>`` included."""
        return self.cfg.max_positions

    @property
    def source_dictionary(self) -> Dictionary:
        """Of tokens."""
        return self.dictionary

    @property
    def target_dictionary(self) -> Dictionary:
        """The same, unless a task says otherwise."""
        return self.dictionary
