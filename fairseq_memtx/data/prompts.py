"""Prompts as a dataset: texts that a language model is to continue or to score."""

import logging
from typing import Any, Sequence

import numpy as np
import torch
from fairseq.data import (
    AppendTokenDataset,
    Dictionary,
    IdDataset,
    ListDataset,
    NestedDictionaryDataset,
    NumelDataset,
    PadDataset,
    PrependTokenDataset,
)
from torch import Tensor

logger = logging.getLogger(__name__)

MANY = 0.1  # a share of unknown tokens that is told


def prompt_dataset(prompts: Sequence[Tensor], dictionary: Dictionary, first: int) -> Any:
    """Batches of prompts, as fairseq's language models have them.

    fairseq's own takes away every ``</s>`` at either end. Here it is the end of a line, of which a
    prompt may have several, and only the one is taken away that is put behind every text.

    Args:
        prompts: tokens, with or without a ``</s>`` behind them.
        dictionary: of the tokens.
        first: the token that stands before every text.

    Returns:
        rows with ``first`` in front as ``src_tokens``, and with a place of padding behind as
        ``target``, padded on the right.
    """
    pad, eos = dictionary.pad(), dictionary.eos()
    texts = [torch.as_tensor(prompt).long() for prompt in prompts]
    texts = [text[:-1] if len(text) and text[-1] == eos else text for text in texts]
    tell_unknown(texts, dictionary)
    sizes = np.array([len(text) for text in texts])
    dataset = ListDataset(texts, sizes)
    source = PrependTokenDataset(dataset, first)
    target = AppendTokenDataset(dataset, pad)
    return NestedDictionaryDataset(
        {
            "id": IdDataset(),
            "net_input": {
                "src_tokens": PadDataset(source, pad_idx=pad, left_pad=False),
                "src_lengths": NumelDataset(source, reduce=False),
            },
            "target": PadDataset(target, pad_idx=pad, left_pad=False),
        },
        sizes=[sizes + 1],
    )


def tell_unknown(texts: Sequence[Tensor], dictionary: Dictionary) -> None:
    """Warn of prompts that the dictionary does not know."""
    for text in texts:
        unknown = int(text.eq(dictionary.unk()).sum())
        if unknown > MANY * len(text):
            logger.warning(
                f"{unknown} of {len(text)} tokens of a prompt ({unknown / len(text):.0%}) are "
                f"unknown to the model ({dictionary.unk_word}), which reads as nothing: write it "
                "with the words or characters of the training text; where the data folder has no "
                "prepared.json, say with --bpe how that text was cut"
            )
