"""Drawing of the next token, against the definitions in plain Python."""

import math
import random
from collections import Counter

import pytest
import torch

from fairseq_memtx.generation.next_token import NextToken

SCORES = [-1.0, 0.5, 2.0, 1.9, -3.0, 0.0]


def chances(temperature: float, top_k: int, top_p: float) -> dict[int, float]:
    """Of every token that may be drawn."""
    weights = [math.exp(score / temperature) for score in SCORES]
    order = sorted(range(len(SCORES)), key=lambda token: -SCORES[token])
    kept, mass = [], 0.0
    for token in order[: top_k or None]:
        if mass < top_p:
            kept.append(token)
        mass += weights[token] / sum(weights)
    total = sum(weights[token] for token in kept)
    return {token: weights[token] / total for token in kept}


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("top_k", "top_p"), [(0, 1.0), (2, 1.0), (0, 0.8), (3, 0.5), (1, 1.0)])
def test_tokens_are_drawn_by_their_chances(temperature, top_k, top_p):
    choose = NextToken(temperature, top_k, top_p, seed=1)
    scores, draws = torch.tensor(SCORES).log_softmax(0), 4000
    drawn = Counter(choose(scores) for _ in range(draws))
    expected = chances(temperature, top_k, top_p)
    assert drawn.keys() <= expected.keys()
    for token, chance in expected.items():
        deviation = math.sqrt(chance * (1 - chance) / draws)
        assert abs(drawn[token] / draws - chance) <= 4 * deviation + 1e-9


def test_the_likeliest_and_seeds():
    scores = torch.tensor(SCORES)
    assert NextToken(temperature=0)(scores) == 2
    drawn = [[NextToken(seed=seed)(scores)] for seed in (3, 3)]
    assert drawn[0] == drawn[1]
    seed = random.randrange(1000)
    choose, again = NextToken(seed=seed), NextToken(seed=seed)
    assert [choose(scores) for _ in range(50)] == [again(scores) for _ in range(50)]
    free, other = NextToken(), NextToken()
    assert [free(scores) for _ in range(50)] != [other(scores) for _ in range(50)]
