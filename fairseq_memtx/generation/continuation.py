"""A language model goes on with a text, token by token, and its memory from segment to segment.

Shapes: ``V`` symbols.
"""

import argparse
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import torch
from fairseq.data import Dictionary
from fairseq.tasks.language_modeling import LanguageModelingTask
from torch import Tensor

from ..data.prompts import tell_unknown
from ..errors import MemtxError
from ..modules.segment_decoder import SegmentDecoder
from ..text.symbols import is_filling
from ..text.units import NEWLINE
from .next_token import NextToken
from .plain_text import as_text, text_cutter
from .trained_model import load

OTHERS = "fairseq-memtx write is for language models, fairseq-memtx translate for translations"


def write(options: argparse.Namespace) -> None:
    """Print a text and, token by token, how a model goes on with it."""
    model, task, cfg, folder = load(options, LanguageModelingTask, OTHERS)
    symbols, prompt = task.source_dictionary, options.text
    cutter = text_cutter(folder, cfg.bpe, options.unit)
    pieces = cutter.encode(prompt).split()
    if not cutter.decode(" ".join(pieces)).endswith(" "):
        prompt = prompt.rstrip(" ")  # words have spaces between them alone
    numbers = continuation(model, begin(symbols, pieces, cfg.task.add_bos_token), options, symbols)
    written: Iterator[str] = map(symbols.__getitem__, numbers)
    if options.one_line:
        written = takewhile(NEWLINE.__ne__, written)
    print(prompt, end="", flush=True)
    for text in as_text(cutter.decode, pieces, written):
        print(text, end="", flush=True)
    print()


def begin(symbols: Dictionary, pieces: list[str], bos: bool) -> Tensor:
    """Numbers ``1 x text`` of tokens, behind the symbol that stands before every text."""
    prompt = [symbols.index(piece) for piece in pieces]
    tell_unknown([torch.tensor(prompt)], symbols, "--unit")
    return torch.tensor([[symbols.bos() if bos else symbols.eos(), *prompt]])


def continuation(
    model: Any, tokens: Tensor, options: argparse.Namespace, symbols: Dictionary
) -> Iterator[int]:
    """Numbers of the tokens that a model writes behind ``tokens``, by the options of the command.

    Raises:
        MemtxError: if the model has not so many positions.
    """
    longest = model.decoder.max_positions()
    if tokens.size(1) + options.length > longest + 1:
        raise MemtxError(
            f"the text has {tokens.size(1)} tokens, and with --length {options.length} more than "
            f"the {longest} that the model has positions for: give a smaller --length or less text"
        )
    choose = NextToken(options.temperature, options.top_k or 0, options.top_p or 1.0, options.seed)
    never = [symbols.pad(), *(n for n, word in enumerate(symbols.symbols) if is_filling(word))]
    state: dict = {}  # fairseq's incremental one
    device = next(model.parameters()).device
    tokens = tokens.to(device)
    if not isinstance(model.decoder, SegmentDecoder):  # fairseq's read one token at a time
        for end in range(1, tokens.size(1)):
            scores_after(model, tokens[:, :end], state)
    for _ in range(options.length):
        scores = scores_after(model, tokens, state)
        scores[never] = float("-inf")
        token = choose(scores)
        yield token
        tokens = torch.cat([tokens, tokens.new_tensor([[token]])], dim=1)


@torch.no_grad()
def scores_after(model: Any, tokens: Tensor, state: dict) -> Tensor:
    """Logarithms of probabilities ``V`` of what follows; what was read before is in the state."""
    features, extra = model.decoder(tokens, incremental_state=state, features_only=True)
    last = model.decoder.output_layer(features[:, -1:])
    return model.get_normalized_probs((last, extra), log_probs=True)[0, -1].float()
