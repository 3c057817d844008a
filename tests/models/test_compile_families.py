"""``torch.compile`` of whole models: no graph break is ours, and outputs are equal."""

from pathlib import Path

import fairseq
import pytest
import torch
from conftest import batch, build
from test_gmat_roberta import COMPRESSED, tokens
from test_gmat_roberta import build as build_gmat
from torch import nn

pytestmark = pytest.mark.training

FAIRSEQ = Path(fairseq.__file__).parent
DROPOUT = {"dropout": 0.1, "attention_dropout": 0.1, "activation_dropout": 0.1}


def check(model: nn.Module, *arguments) -> None:
    """A training pass, compiled and not, from the same seed; breaks are in fairseq's own files."""
    model.float().train()
    reasons = []

    def eager(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]):
        reasons.append(graph.compile_subgraph_reason)
        return graph.forward

    def passed(function) -> torch.Tensor:
        torch.manual_seed(1)
        return function(*arguments)[0]

    torch._dynamo.reset()
    expected = passed(model)
    torch.testing.assert_close(passed(torch.compile(model, backend=eager)), expected)
    assert reasons  # something was compiled
    breaks = [reason for reason in reasons if reason.graph_break]
    assert {Path(reason.user_stack[-1].filename) for reason in breaks} <= {
        FAIRSEQ / "models/transformer/transformer_encoder.py",  # whether there is padding
        FAIRSEQ / "models/transformer/transformer_decoder.py",
    }


@pytest.mark.parametrize("variant", ["tokens", "shared-controller", "bottleneck-skip"])
def test_memory_transformer(variant):
    model = build(variant, encoder_layers=1, decoder_layers=1, **DROPOUT)
    check(model, batch(7, 5), None, batch(6, 4, left=False))


@pytest.mark.parametrize(
    "flags",
    [
        {"sparse_attention": "window", "separate_memory_projections": True},
        {"sparse_attention": "lsh"},
        {"segments": 2},
        {**COMPRESSED, "encoder_layers": 3, "memory_layers": 1},
    ],
    ids=str,
)
def test_gmat(flags):
    check(build_gmat(**{"encoder_layers": 1, **DROPOUT, **flags}), tokens(25, 14))
