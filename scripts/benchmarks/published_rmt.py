"""The published model of RMT, imported from a checkout of https://github.com/booydar/LM-RMT.

Nothing of it is in this project. Its code is of 2019 and wants to be run from its own folder on a
machine with CUDA; what that needs here is done, and explained, below.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from fairseq_memtx.errors import MemtxError

from .turns import Learner


class PublishedRmt(Learner):
    """The published model of a checkout, its own loss, and the memory that it hands on."""

    def __init__(self, checkout: Path, sizes) -> None:
        model = import_model(checkout).MemTransformerLM(
            n_token=sizes.vocabulary,
            n_layer=sizes.layers,
            n_head=sizes.heads,
            d_model=sizes.channels,
            d_head=sizes.channels // sizes.heads,
            d_inner=sizes.ffn_channels,
            dropout=sizes.dropout,
            dropatt=0.0,
            tgt_len=sizes.segment,
            ext_len=0,
            mem_len=0,  # rows of its Transformer-XL cache
            num_mem_tokens=sizes.memory_tokens,
            mem_at_end=True,
        )
        # Its attention biases are memory that nobody has written to; its training script does this.
        for parameter in model.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)
        # It has a dropout inside the feed-forward sub-layer, and the others here have none.
        for layer in model.layers:
            layer.pos_ff.CoreNet[2].p = 0.0
        super().__init__(model)
        self.memory = model.mem_tokens.detach().repeat(1, sizes.streams, 1)  # M x B x C

    def loss(self, batch: dict[str, Any]) -> Tensor:
        """As in its training script; it takes the time first."""
        source, target = batch["net_input"]["src_tokens"].t(), batch["target"].t()
        memory, loss = self.model(source, target, mem_tokens=self.memory)
        self.memory = memory.detach()
        return loss.mean()


def import_model(checkout: Path) -> ModuleType:
    """``pytorch/mem_transformer.py`` of the checkout."""
    file = checkout / "pytorch/mem_transformer.py"
    if not file.is_file():
        raise MemtxError(
            f"there is no {file}: give --published a checkout of https://github.com/booydar/LM-RMT"
        )
    spec = importlib.util.spec_from_file_location("published_mem_transformer", file)
    module = importlib.util.module_from_spec(spec)
    # It finds its other files through "utils", seen from the working directory.
    search_path = [*sys.path, str(file.parent / "utils")]
    # It takes the version of CUDA to pieces, and a torch without CUDA has None there.
    cuda = torch.version.cuda or "0.0"
    with (
        mock.patch.object(sys, "path", search_path),
        mock.patch.object(torch.version, "cuda", cuda),
    ):
        spec.loader.exec_module(module)
    return module
