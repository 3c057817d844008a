"""The loss of ``fairseq-eval-lm --remove-bpe`` is one per word."""

import math

import pytest
import torch
from fairseq.data import Dictionary
from fairseq_cli import eval_lm

from fairseq_memtx import compat

WORDS = ["an", "ap@@", "ple", "tr@@", "e@@", "e", "</s>"]  # an apple tree: four with the end


class Undecided(torch.nn.Module):
    """A model to which all tokens are equally likely."""

    def __init__(self, symbols: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(symbols))

    def forward(self, src_tokens, **_):
        return self.weight.expand(*src_tokens.shape, -1), None

    def get_normalized_probs(self, output, log_probs, sample=None):
        return output[0].log_softmax(dim=-1)


def batches(dictionary: Dictionary, length: int) -> list[dict]:
    """The words in rows of a length, two in a batch."""
    tokens = torch.tensor([dictionary.index(word) for word in WORDS])
    rows = tokens.split(length)
    width = max(map(len, rows))
    made = []
    for first in range(0, len(rows), 2):
        target = torch.full((len(rows[first : first + 2]), width), dictionary.pad())
        for row, of_row in zip(target, rows[first : first + 2]):
            row[: len(of_row)] = of_row
        net_input = {"src_tokens": target}
        ids = torch.arange(len(target))
        made.append({"id": ids, "net_input": net_input, "target": target, "ntokens": 7})
    return [*made, {}]  # an empty batch is that of a worker without work


@pytest.mark.parametrize("length", range(1, 8))
def test_a_word_counts_once_wherever_rows_are_cut(length):
    compat.mend_fairseq()
    dictionary = Dictionary()
    for word in WORDS[:-1]:
        dictionary.add_symbol(word)
    model, rows = Undecided(len(dictionary)), batches(dictionary, length)
    found = eval_lm.eval_lm([model], dictionary, rows, post_process="@@ ")
    assert found["loss"] == pytest.approx(7 * math.log2(len(dictionary)) / 4, rel=1e-5)
    assert found["perplexity"] == pytest.approx(2 ** found["loss"])
    found = eval_lm.eval_lm([model], dictionary, rows)
    assert found["loss"] == pytest.approx(math.log2(len(dictionary)), rel=1e-5)
