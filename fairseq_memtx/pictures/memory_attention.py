"""What an encoder's memory reads, and who reads it, for one sentence.

Weights are averaged over the heads. Shapes: ``T`` source length with the end of sentence, ``M``
memory tokens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..memory import capture_attention
from ..modules.encoder_with_memory import EncoderWithMemory
from ..modules.mem_transformer_layers import MemoryAndSelfAttention


@dataclass(frozen=True)
class LayerAttention:
    """What is read in one encoder layer; every row sums to one."""

    source: Tensor  # rows are source tokens, T x K; the first M keys are the memory
    memory: Tensor  # rows are memory tokens, M x (M + T)
    reads_itself: bool = False  # a source token's last key is the token itself (bottleneck-skip)


def read_attention(encoder: EncoderWithMemory, tokens: Tensor) -> list[LayerAttention]:
    """Encode one sentence of ``T`` tokens and record the attention of every layer."""
    with capture_attention(encoder) as maps, torch.no_grad():
        encoder(tokens.unsqueeze(0))
    calls = {
        name: iter(weights.float().mean(dim=(0, 1)) for weights in maps[name]) for name in maps
    }
    layers = []
    for number, layer in enumerate(encoder.layers):
        source = next(calls[f"layers.{number}.self_attn"])
        if hasattr(encoder, "memory_controller"):  # one call a layer, in order
            memory = next(calls["memory_controller.self_attn"])
        elif hasattr(layer, "memory_controller"):
            memory = next(calls[f"layers.{number}.memory_controller.self_attn"])
        else:
            memory, source = source[: encoder.memory_tokens], source[encoder.memory_tokens :]
        reads_itself = isinstance(layer.self_attn, MemoryAndSelfAttention)
        if reads_itself:
            to_memory, to_source = source[:, : len(memory)], source[:, len(memory) :]
            source = torch.cat([to_memory, to_source.diagonal().unsqueeze(1)], dim=1)
        layers.append(LayerAttention(source, memory, reads_itself))
    return layers
