"""Memory tokens, without fairseq."""

import torch

from fairseq_memtx.memory import MemoryTokens


def test_every_sentence_starts_with_the_same_memory():
    tokens = MemoryTokens(3, 4)
    memory = tokens(2)
    assert memory.shape == (2, 3, 4)
    assert torch.equal(memory[0], tokens.weight)
    assert torch.equal(memory[1], tokens.weight)


def test_fitted_keeps_the_first_rows_and_fills_with_its_own():
    tokens, saved = MemoryTokens(3, 4), torch.arange(8.0).view(2, 4)
    fitted = tokens.fitted(saved)
    assert torch.equal(fitted[:2], saved)
    assert torch.equal(fitted[2], tokens.weight[2])
    assert torch.equal(tokens.fitted(torch.ones(5, 4)), torch.ones(3, 4))
    assert not fitted.requires_grad
