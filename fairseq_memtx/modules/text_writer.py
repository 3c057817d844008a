"""Beam search and sampling of texts in which ``</s>`` is the end of a line.

Shapes: ``B`` prompts, ``K`` beams, ``V`` symbols.
"""

from typing import Any

import torch
from fairseq.sequence_generator import EnsembleModel, SequenceGenerator
from torch import Tensor

from ..errors import MemtxError


class TextWriter(SequenceGenerator):
    """fairseq's generator, with an end of its own beside the ``</s>`` of a line.

    fairseq ends a text with its first ``</s>``, even one of the prompt. Here the end is one more
    symbol, number ``V``, that no text has. A text that is written ends with its line, or, if
    `writes_lines`, when it is as long as it may be.

    Attributes:
        writes_lines: whether to go on after the end of a line.
    """

    def __init__(self, models, tgt_dict, **settings: Any) -> None:
        self.line_end, self.text_end = tgt_dict.eos(), len(tgt_dict)
        model = ModelWithEnd(models, self.line_end, self.text_end)
        super().__init__(model, tgt_dict, eos=self.text_end, **settings)
        self.vocab_size += 1
        self.writes_lines = False
        self._fairseqs_step, self.search.step = self.search.step, self._step

    @torch.no_grad()
    def generate(self, models, sample, **kwargs: Any) -> list[list[dict[str, Tensor]]]:
        """As fairseq's; every text ends with ``</s>``. Prompts may not be longer than a text."""
        self._check_length(sample, kwargs.get("prefix_tokens"))
        self.model.writes_lines = self.writes_lines
        texts = super().generate(models, sample, **kwargs)
        for hypothesis in (hypothesis for of_prompt in texts for hypothesis in of_prompt):
            hypothesis["tokens"][-1] = self.line_end
        return texts

    def _check_length(self, sample, prompt: Tensor | None) -> None:
        """Refuse what fairseq would cut off without a word."""
        if prompt is None:
            return
        longest = int(prompt.ne(self.pad).sum(dim=1).max())
        source = sample["net_input"]["src_tokens"].size(1)
        allowed = min(int(self.max_len_a * source + self.max_len_b), self.max_len - 1)
        if longest > allowed and not self.match_source_len:
            raise MemtxError(
                f"a prompt has {longest} tokens and a text may have {allowed}, the prompt "
                "included: raise --max-len-b (max_len_b), or give --max-len-a 1 (max_len_a=1) to "
                "count from the prompt's end"
            )

    def _prefix_tokens(self, step, lprobs, scores, tokens, prefix_tokens, beam_size):
        """As fairseq's; the end of a line in a prompt is not the end of the text.

        For prompts that are over, while others of the batch are not, fairseq forgets ``--min-len``.
        """
        prompt = prefix_tokens[:, step].repeat_interleave(beam_size)
        if not self.writes_lines:
            ends = prompt.eq(self.line_end)
            lprobs[ends, self.line_end] = lprobs[ends, self.text_end]
        if step < self.min_len:
            lprobs[prompt.eq(self.pad), self.text_end] = float("-inf")
        return super()._prefix_tokens(step, lprobs, scores, tokens, prefix_tokens, beam_size)

    def _step(self, step: int, lprobs: Tensor, *more: Any, **kwargs: Any):
        """Choose. Where nothing is left but the end, since a text is long enough, it is certain."""
        last = lprobs.amax(dim=-1).isneginf()
        lprobs[..., self.text_end].masked_fill_(last, 0.0)
        return self._fairseqs_step(step, lprobs, *more, **kwargs)


class ModelWithEnd(EnsembleModel):
    """Models that predict, besides, whether the text ends."""

    def __init__(self, models, line_end: int, text_end: int) -> None:
        super().__init__(models)
        self.line_end, self.text_end = line_end, text_end
        self.writes_lines = False

    def forward_decoder(self, tokens: Tensor, *arguments: Any, **kwargs: Any):
        """Logarithms of probabilities ``B*K x (V + 1)``, and attention, as fairseq's.

        Where texts end with a line, the end takes the probability of the line's end.
        """
        # Beams that are dead, with probability 0, may have chosen the end and gone on.
        known = tokens.masked_fill(tokens.eq(self.text_end), self.line_end)
        lprobs, attention = super().forward_decoder(known, *arguments, **kwargs)
        impossible = torch.full_like(lprobs[:, :1], float("-inf"))
        if self.writes_lines:
            return torch.cat([lprobs, impossible], dim=1), attention
        end = lprobs[:, self.line_end, None].clone()
        lprobs[:, self.line_end, None] = impossible
        return torch.cat([lprobs, end], dim=1), attention
