"""Draw what an encoder's memory reads, and who reads it, for one sentence."""

import argparse
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

from ..errors import MemtxError
from .figure import check_format, save
from .heat_map import heat_map
from .memory_attention import LayerAttention, read_attention

CELL = 0.25  # inches
LARGEST = 80  # inches, of a side of the picture
TITLE_WIDTH = 12  # cells that the longest title takes
TITLE: dict[str, Any] = {"loc": "left", "fontsize": 10}


def plot(options: argparse.Namespace) -> None:
    """Draw a sentence of the test set, or of the validation set, where there is no test set."""
    check_format(options.output, "--output")
    model, task = load(options.checkpoint, options.data)
    if options.text is None:
        tokens = sentence(task, options.sentence_index)
    else:
        tokens = encode(task, options.text)
    layers = read_attention(model.encoder, tokens)
    words = [task.source_dictionary[token] for token in tokens]
    chosen = choose(options.layer, len(layers))
    save(draw({number: layers[number] for number in chosen}, words), options.output, 120)
    print(f"wrote {options.output}: {' '.join(words)}")


def load(checkpoint: str, data: str) -> tuple[Any, Any]:
    """A trained model in evaluation mode, whose encoder has to have memory, and its task."""
    from fairseq import checkpoint_utils  # not before the plugin, which comes with our modules

    if not Path(checkpoint).exists():
        raise MemtxError(f"there is no checkpoint {checkpoint}: check --checkpoint")
    (model,), _, task = checkpoint_utils.load_model_ensemble_and_task(
        [checkpoint], arg_overrides={"data": data}
    )
    if not hasattr(getattr(model, "encoder", None), "memory"):
        raise MemtxError(
            f"the model in {checkpoint} has no memory: give one that was trained with some"
        )
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


def draw(layers: dict[int, LayerAttention], words: list[str]) -> Figure:
    """A figure with one row of two heat maps for each layer, by its number."""
    memory_count = len(next(iter(layers.values())).memory)
    memory = [f"m{number}" for number in range(memory_count)]
    keys = [*memory, *words]
    rows, columns = max(len(memory), len(words)), [max(len(memory), TITLE_WIDTH), len(keys)]
    cell = min(CELL, LARGEST / sum(columns), LARGEST / (rows * len(layers)))
    figure = Figure(
        figsize=(cell * sum(columns) + 4, (cell * rows + 1.4) * len(layers)), layout="constrained"
    )
    axes = figure.subplots(len(layers), 2, squeeze=False, width_ratios=columns)
    for (left, right), (number, layer) in zip(axes, layers.items()):
        shown = memory_count + layer.reads_itself
        columns_shown = [*memory, "itself"][:shown]
        heat_map(left, layer.source[:, :shown].numpy(), words, columns_shown, cell)
        left.set_title(f"Layer {number}: what the source tokens read from memory", **TITLE)
        heat_map(right, layer.memory.numpy(), memory, keys, cell)
        right.set_title(f"Layer {number}: what memory reads", **TITLE)
        for axis in (left, right):
            axis.axvline(memory_count, color="black", linewidth=1.5)  # here memory ends
    return figure
