"""Gradient times input: against what a token that is embedded a little longer changes."""

import pytest
import torch
from test_rmt_lm import LAYER_MEMORY, build, text

from fairseq_memtx.inspection.handed_on import kept_of, vectors_of
from fairseq_memtx.inspection.writers import _attributed

KINDS = {
    "memory": [],
    "fairseq's layers": ["--backbone", "transformer"],
    "layer memories": [*LAYER_MEMORY, "--memory-recurrence", "none"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_tokens_are_derivatives(kind):
    decoder, tokens, step = build(*KINDS[kind]).decoder, text(4), 1e-5
    state = decoder.loop.begin({}, len(tokens))
    found, _ = _attributed(decoder, tokens, state)
    begun = vectors_of(kept_of(decoder, state))

    def after(place: int, change: float) -> dict[str, torch.Tensor]:
        def longer(_, __, output):
            output = output.clone()
            output[:, place] *= 1 + change
            return output

        with torch.no_grad(), decoder.embed_tokens.register_forward_hook(longer):
            return vectors_of(kept_of(decoder, decoder.loop.read_segment(tokens, state)[1]))

    assert found.keys() == after(0, 0).keys()
    for part, numbers in found.items():
        way = after(0, 0)[part] - begun.get(part, torch.zeros(()))
        way = way / way.norm(dim=1, keepdim=True)
        for place in range(4):
            change = (after(place, step)[part] - after(place, -step)[part]) / (2 * step)
            expected = (change * way).sum(1)
            torch.testing.assert_close(numbers[:, place], expected, rtol=1e-4, atol=1e-7)
