"""Texts of several lines that a model goes on with."""

import pytest
import torch
from conftest import words
from fairseq.models import FairseqDecoder, FairseqLanguageModel

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.modules.text_writer import TextWriter

EOS, PAD, A, B, C = 2, 1, 4, 5, 6


class Chain(FairseqDecoder):
    """After each symbol comes, with this probability, that one."""

    def __init__(self, dictionary, chances: dict[int, dict[int, float]]) -> None:
        super().__init__(dictionary)
        table = torch.full((len(dictionary), len(dictionary)), 1e-6)
        for symbol, following in chances.items():
            for other, chance in following.items():
                table[symbol, other] = chance
        self.table = torch.nn.Parameter(table.log_softmax(-1) if not chances else table.log())

    def forward(self, prev_output_tokens, encoder_out=None, **kwargs):
        return self.table[prev_output_tokens].clone(), {"attn": [None]}

    def max_positions(self):
        return 10**9


def write(chances, prompts, lines: bool, beam: int = 2, **settings):
    dictionary = words(4)
    model = FairseqLanguageModel(Chain(dictionary, chances))
    writer = TextWriter([model], dictionary, beam_size=beam, **{"max_len_b": 8, **settings})
    writer.writes_lines = lines
    longest = max(map(len, prompts))
    prefix = torch.tensor([p + [PAD] * (longest - len(p)) for p in prompts], dtype=torch.long)
    source = torch.cat([torch.full((len(prompts), 1), EOS), prefix], dim=1)
    sample = {"net_input": {"src_tokens": source, "src_lengths": source.ne(PAD).sum(1)}}
    return writer.generate([model], sample, prefix_tokens=prefix, bos_token=EOS)


CHAIN = {EOS: {A: 0.9, B: 0.1}, A: {B: 0.8, EOS: 0.2}, B: {C: 0.7, EOS: 0.3}, C: {EOS: 0.9, A: 0.1}}


@pytest.mark.parametrize("beam", [1, 3])
def test_a_line_ends_where_the_model_ends_it(beam):
    ((best, *_),) = write(CHAIN, [[A, EOS, EOS, A]], lines=False, beam=beam)
    assert best["tokens"].tolist() == [A, EOS, EOS, A, B, C, EOS]
    chances = torch.tensor([0.9, 0.2, 1e-6, 0.9, 0.8, 0.7, 0.9])
    torch.testing.assert_close(best["positional_scores"], chances.log(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("beam", [1, 3])
def test_a_text_of_lines_is_as_long_as_it_may_be(beam):
    ((best, *_),) = write(CHAIN, [[B, EOS]], lines=True, beam=beam, max_len_b=9)
    assert best["tokens"].tolist() == [B, EOS, A, B, C, EOS, A, B, C, EOS]
    chances = torch.tensor([0.1, 0.3, 0.9, 0.8, 0.7, 0.9, 0.9, 0.8, 0.7, 1.0])
    torch.testing.assert_close(best["positional_scores"], chances.log(), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(best["score"], chances.log().mean(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("lines", [False, True])
def test_a_prompt_is_continued_alike_in_every_batch(lines):
    """Also a short one, which is over while another is still read."""
    prompts = [[], [A], [A, EOS, B, EOS, A], [EOS]]
    together = write(CHAIN, prompts, lines, min_len=2)
    for prompt, of_prompt in zip(prompts, together):
        (alone,) = write(CHAIN, [prompt], lines, min_len=2)
        for one, other in zip(of_prompt, alone):
            assert one["tokens"].tolist() == other["tokens"].tolist()
            torch.testing.assert_close(one["positional_scores"], other["positional_scores"])


def test_a_prompt_that_does_not_fit_is_refused():
    with pytest.raises(MemtxError, match="a prompt has 9 tokens and a text may have 8"):
        write(CHAIN, [[A] * 9], lines=False)
    assert write(CHAIN, [[A] * 9], lines=False, max_len_a=1)


def test_sampling_ends_too():
    from fairseq.search import Sampling

    dictionary = words(4)
    search = Sampling(dictionary, sampling_topp=0.9)
    for lines in (False, True):
        torch.manual_seed(1)
        found = write(CHAIN, [[A, EOS], [B]], lines, search_strategy=search, beam=2)
        for hypothesis in (h for of_prompt in found for h in of_prompt):
            assert hypothesis["tokens"][-1] == EOS
            assert hypothesis["tokens"].max() < len(dictionary)
            assert not lines or len(hypothesis["tokens"]) == 9
