"""Memory of the published RMT and ARMT: what their state dicts have beside GPT-2's own weights.

A state dict is that of booydar/recurrent-memory-transformer or of
RodkinIvan/associative-recurrent-memory-transformer: ``memory_cell.memory``, ``memory_cell.model.``
and GPT-2's names, and in ARMT the parts of each layer's memory. What it does not show comes from
flags; that the denominator and DPFP-3 were on is taken for granted.

Both see by a plain causal mask. RMT's rows are ``[memory; tokens; memory]`` in ordinary positions,
ARMT's are ``[tokens; memory]``, and where the table of positions has ``M`` rows more than GPT-2's,
memory has these.
"""

import re
from typing import Any

from torch import Tensor

from ..errors import MemtxError
from .weights import Weights

CELL = "memory_cell"
# ARMT puts its memory around a layer.
AROUND = re.compile(rf"^{CELL}\.model\.(transformer\.h\.\d+)\.layer\.")
# Beside the layer: the published name, and ours.
LAYER_MEMORY = {
    f"transformer.h.#.W_m{letter}": f"decoder.layers.#.layer_memory.{part}_proj"
    for letter, part in {"q": "query", "k": "key", "v": "value", "b": "strength"}.items()
}


def take_memory(
    weights: Weights, channels: int, positions: int
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Our weights of the memory, and the settings that go with them.

    The published ones of GPT-2, of so many channels and positions, are left, under the names of
    Hugging Face.
    """
    memory = weights.take(f"{CELL}.memory", -1, channels)
    for name in list(weights):
        plain = AROUND.sub(r"\1.", name).removeprefix(f"{CELL}.model.")
        weights[plain] = weights.pop(name)
    places = len(weights.look("transformer.wpe.weight", -1, channels))
    if places not in (positions, positions + len(memory)):
        raise MemtxError(
            f"{weights.path} has {places} positions, which are neither the {positions} of "
            f"config.json nor {len(memory)} more, for memory"
        )
    settings = {
        "memory_tokens": len(memory),
        "causal_memory": True,
        "memory_positions": "running" if places == positions else "own",
    }
    if any(".W_m" in name for name in weights):
        keys = weights.look("transformer.h.0.W_mk.weight", -1, channels)
        settings |= {
            "memory_recurrence": "none",
            "layer_memory": "associative",
            "associative_channels": len(keys),
        }
    return {"decoder.memory.weight": memory, **weights.take_named(LAYER_MEMORY)}, settings
