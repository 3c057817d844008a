"""Draw what an encoder's memory reads, and who reads it, for one sentence.

    python scripts/plot_memory.py --checkpoint CKPT --data DATA_BIN --output FILE.png

takes the first sentence of the test set (of the validation set, where there is no test set); see
``--help`` for other sentences and layers. Weights are averaged over the heads.

Shapes: ``T`` source length with the end of sentence, ``M`` memory tokens.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from fairseq import checkpoint_utils, utils
from torch import Tensor, nn
from written_aside import written_aside

PLUGIN = Path(__file__).resolve().parents[1] / "fairseq_memtx"
utils.import_user_module(argparse.Namespace(user_dir=str(PLUGIN)))

from fairseq_memtx.errors import MemtxError  # noqa: E402
from fairseq_memtx.memory import capture_attention  # noqa: E402
from fairseq_memtx.modules.mem_transformer_layers import MemoryAndSelfAttention  # noqa: E402

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".pdf", ".svg")
CELL = 0.25  # inches
LARGEST = 80  # inches, of a side of the picture
TITLE_WIDTH = 12  # cells that the longest title takes
TITLE = {"loc": "left", "fontsize": 10}


@dataclass(frozen=True)
class LayerAttention:
    """What is read in one encoder layer; every row sums to one.

    Attributes:
        source: rows are source tokens, ``T x K``; the first ``M`` keys are the memory.
        memory: rows are memory tokens, ``M x (M + T)``.
        reads_itself: a source token's last key is the token itself (bottleneck-skip).
    """

    source: Tensor
    memory: Tensor
    reads_itself: bool = False


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    options = parse(arguments)
    logging.getLogger().setLevel(logging.WARNING)  # importing fairseq's tasks sets it to DEBUG
    if options.output.suffix not in FORMATS:
        raise MemtxError(f"--output {options.output} must end in {', '.join(FORMATS)}")
    figure_class()  # a missing library is told before the model is loaded
    model, task = load(options.checkpoint, options.data)
    if options.text is None:
        tokens = sentence(task, options.sentence_index)
    else:
        tokens = encode(task, options.text)
    layers = read_attention(model.encoder, tokens)
    words = [task.source_dictionary[token] for token in tokens]
    chosen = choose(options.layer, len(layers))
    figure = draw({number: layers[number] for number in chosen}, words)
    with written_aside(options.output) as (partial,):
        figure.savefig(partial, format=options.output.suffix[1:], dpi=120)
    print(f"wrote {options.output}: {' '.join(words)}")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--checkpoint", required=True, metavar="CKPT", help="of mem_transformer")
    parser.add_argument(
        "--data", required=True, metavar="DATA_BIN", help="folder that fairseq-preprocess wrote"
    )
    parser.add_argument("--output", required=True, type=Path, metavar="FILE.png")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--sentence-index", type=int, default=0, metavar="I", help="from 0 on (default: 0)"
    )
    source.add_argument("--text", help="a source sentence in its place, tokenised, with its BPE")
    parser.add_argument("--layer", default="last", help="last, all or a number from 0 on")
    return parser.parse_args(arguments)


def load(checkpoint: str, data: str) -> tuple[nn.Module, Any]:
    """A trained model in evaluation mode, and its task.

    Raises:
        MemtxError: if the encoder has no memory.
    """
    (model,), _, task = checkpoint_utils.load_model_ensemble_and_task(
        [checkpoint], arg_overrides={"data": data}
    )
    if not hasattr(getattr(model, "encoder", None), "memory"):
        raise MemtxError(f"the model in {checkpoint} has no memory: give one with --memory-tokens")
    return model.eval(), task


def encode(task: Any, text: str) -> Tensor:
    """The tokens of a sentence that is in pieces already."""
    if not text.strip():
        raise MemtxError("--text is empty: give a sentence, tokenised and with its BPE")
    return task.source_dictionary.encode_line(text, add_if_not_exist=False).long()


def sentence(task: Any, index: int) -> Tensor:
    """The source tokens of one sentence of the test set, or else of the validation set."""
    split = "test"
    try:
        task.load_dataset(split)
    except FileNotFoundError:
        split = "valid"
        task.load_dataset(split)
    dataset = task.dataset(split)
    if not 0 <= index < len(dataset):
        raise MemtxError(
            f"--sentence-index {index} is out of range: the {split} set has sentences 0 to "
            f"{len(dataset) - 1}"
        )
    return dataset[index]["source"]


def choose(layer: str, count: int) -> list[int]:
    """Numbers of the layers that ``--layer`` asks for."""
    if layer == "all":
        return list(range(count))
    if layer == "last":
        return [count - 1]
    if layer.isdecimal() and int(layer) < count:
        return [int(layer)]
    raise MemtxError(
        f"--layer {layer}: there is no such layer, use 'last', 'all' or 0 to {count - 1}"
    )


def read_attention(encoder: nn.Module, tokens: Tensor) -> list[LayerAttention]:
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


def figure_class() -> type[Figure]:
    """The ``Figure`` of matplotlib, which draws with Agg and opens no window.

    Raises:
        MemtxError: if matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as cause:
        raise MemtxError("matplotlib is missing: pip install matplotlib") from cause
    return Figure


def draw(layers: dict[int, LayerAttention], words: list[str]) -> Figure:
    """A figure with one row of two heat maps for each layer, by its number."""
    memory_count = len(next(iter(layers.values())).memory)
    memory = [f"m{number}" for number in range(memory_count)]
    keys = [*memory, *words]
    rows, columns = max(len(memory), len(words)), [max(len(memory), TITLE_WIDTH), len(keys)]
    cell = min(CELL, LARGEST / sum(columns), LARGEST / (rows * len(layers)))
    figure = figure_class()(
        figsize=(cell * sum(columns) + 4, (cell * rows + 1.4) * len(layers)), layout="constrained"
    )
    axes = figure.subplots(len(layers), 2, squeeze=False, width_ratios=columns)
    for (left, right), (number, layer) in zip(axes, layers.items()):
        shown = memory_count + layer.reads_itself
        heat_map(left, layer.source[:, :shown], words, [*memory, "itself"][:shown], cell)
        left.set_title(f"Layer {number}: what the source tokens read from memory", **TITLE)
        heat_map(right, layer.memory, memory, keys, cell)
        right.set_title(f"Layer {number}: what memory reads", **TITLE)
        for axis in (left, right):
            axis.axvline(memory_count, color="black", linewidth=1.5)  # here memory ends
    return figure


def heat_map(axes: Axes, weights: Tensor, rows: list[str], columns: list[str], cell: float) -> None:
    """Draw weights as a table with named rows and columns, its cells ``cell`` inches high."""
    mesh = axes.pcolormesh(weights.numpy(), cmap="Blues", vmin=0, edgecolors="white", linewidth=0.5)
    axes.invert_yaxis()
    font = 36 * cell  # points: half as high as a cell
    axes.set_yticks([place + 0.5 for place in range(len(rows))], labels(rows), fontsize=font)
    axes.set_xticks(
        [place + 0.5 for place in range(len(columns))], labels(columns), fontsize=font, rotation=90
    )
    axes.tick_params(length=0)
    bar = axes.figure.colorbar(mesh, ax=axes, pad=0.02)
    bar.set_label("attention weight", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)


def labels(names: list[str]) -> list[str]:
    """Names as matplotlib shows them; two dollars would start a formula."""
    return [name.replace("$", r"\$") for name in names]


if __name__ == "__main__":
    main()
