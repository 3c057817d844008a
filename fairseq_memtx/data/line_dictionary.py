"""A dictionary that shows where lines end."""

from typing import Any

import torch
from fairseq.data import Dictionary


class LineDictionary(Dictionary):
    """fairseq's dictionary, for a text of several lines, with ``</s>`` at the end of each."""

    def string(self, tensor: Any, *arguments: Any, include_eos: bool = False, **more: Any) -> str:
        """Tokens as text, with every ``</s>`` but the one that frames it.

        That is the last one, or, where there is none at the end, the first: a hypothesis ends with
        it, and what a model reads begins with it.
        """
        if torch.is_tensor(tensor) and tensor.dim() == 2:
            return super().string(tensor, *arguments, include_eos=include_eos, **more)
        tokens = [int(token) for token in tensor]
        if tokens and not include_eos:
            if tokens[-1] == self.eos():
                tokens.pop()
            elif tokens[0] == self.eos():
                tokens.pop(0)
        return super().string(tokens, *arguments, include_eos=True, **more)
