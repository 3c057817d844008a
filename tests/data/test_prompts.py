"""Prompts as a dataset, and a dictionary that shows where lines end."""

import torch
from conftest import words

from fairseq_memtx.data.line_dictionary import LineDictionary
from fairseq_memtx.data.prompts import PromptDataset

EOS, PAD, UNK = 2, 1, 3


def batch(*prompts: list[int]) -> dict:
    dataset = PromptDataset([torch.tensor(p, dtype=torch.int) for p in prompts], words(), EOS)
    return dataset.collater([dataset[index] for index in range(len(prompts))])


def test_ends_of_lines_are_kept():
    """All but the one that is put behind every text."""
    found = batch([EOS, 5, EOS, EOS, 6, EOS, EOS], [7, EOS], [8, 9], [EOS], [])
    assert found["net_input"]["src_tokens"].tolist() == [
        [EOS, EOS, 5, EOS, EOS, 6, EOS],
        [EOS, 7, *[PAD] * 5],
        [EOS, 8, 9, *[PAD] * 4],
        *[[EOS, *[PAD] * 6]] * 2,
    ]
    assert found["target"].tolist()[1] == [7, *[PAD] * 6]
    assert found["net_input"]["src_lengths"].tolist() == [7, 2, 3, 1, 1]


def test_a_prompt_full_of_unknown_tokens_is_told(caplog):
    batch([5, 6, EOS], [UNK, UNK, 5, 6, EOS], [5] * 19 + [UNK, EOS])
    (told,) = caplog.messages
    assert told.startswith("2 of 4 tokens of a prompt (50%) are unknown")
    assert "--bpe" in told


def test_a_dictionary_that_shows_lines():
    dictionary = LineDictionary()
    for word in ("a", "b"):
        dictionary.add_symbol(word)
    a, b = 4, 5
    assert dictionary.string(torch.tensor([a, EOS, b, EOS])) == "a </s> b"
    assert dictionary.string(torch.tensor([EOS, a, EOS, EOS])) == "</s> a </s>"
    assert dictionary.string(torch.tensor([EOS, a, EOS, b])) == "a </s> b"
    assert dictionary.string(torch.tensor([a, EOS]), include_eos=True) == "a </s>"
    assert dictionary.string(torch.tensor([[a, EOS], [b, EOS]])) == "a\nb"
    assert dictionary.string([]) == ""
