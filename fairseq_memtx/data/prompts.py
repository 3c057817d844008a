"""Prompts as a dataset: texts that a language model is to continue or to score."""

import logging
from typing import Any, Sequence

import numpy as np
import torch
from fairseq.data import Dictionary
from torch import Tensor

from .rows import RowDataset

logger = logging.getLogger(__name__)

MANY = 0.1  # a share of unknown tokens that is told


class PromptDataset(RowDataset):
    """Prompts, as fairseq's language models have them: what stands before each token, and it.

    fairseq's own takes away every ``</s>`` at either end. Here it is the end of a line, of which a
    prompt may have several, and only the one is taken away that is put behind every text.

    Args:
        prompts: tokens, with or without a ``</s>`` behind them.
        dictionary: of the tokens.
        first: the token that stands before every text, behind which is a place of padding.
    """

    def __init__(self, prompts: Sequence[Tensor], dictionary: Dictionary, first: int) -> None:
        pad, eos = dictionary.pad(), dictionary.eos()
        texts = [torch.as_tensor(prompt).long() for prompt in prompts]
        self.texts = [text[:-1] if len(text) and text[-1] == eos else text for text in texts]
        self.first = first
        tell_unknown(self.texts, dictionary)
        super().__init__(np.array([len(text) + 1 for text in self.texts]), (pad, pad))

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``source`` and ``target`` of a prompt."""
        text, first, pad = (
            self.texts[index],
            torch.tensor([self.first]),
            torch.tensor([self.pad[1]]),
        )
        return {"id": index, "source": torch.cat([first, text]), "target": torch.cat([text, pad])}


def tell_unknown(texts: Sequence[Tensor], dictionary: Dictionary, flag: str = "--bpe") -> None:
    """Warn of prompts that the dictionary does not know, and of the flag that says what it does."""
    for text in texts:
        unknown = int(text.eq(dictionary.unk()).sum())
        if unknown > MANY * len(text):
            logger.warning(
                f"{unknown} of {len(text)} tokens of a prompt ({unknown / len(text):.0%}) are "
                f"unknown to the model ({dictionary.unk_word}), which reads as nothing: write it "
                "with the words or characters of the training text; where the data folder has no "
                f"prepared.json, say with {flag} how that text was cut"
            )
