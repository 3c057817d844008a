"""A swap of memory rows inside an encoder: of a source sentence, or of a document.

Shapes: ``B`` batch, ``M`` memory tokens, ``N`` rows, ``C`` channels, ``P`` places, ``V`` symbols.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .exchange import Predictions, exchanged, measure
from .trained_model import NotMeasured, TrainedModel

BATCHES = 8  # that are read


def swap(trained: TrainedModel, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Exchange memory rows between inputs of the same batch; see `exchange`.

    Those of a translation model are what the decoder reads. Those of a document model are what
    enters a layer: ``layer`` is the one at which the output moves most if all are exchanged.
    """
    samples = [sample for sample in samples if sample["nsentences"] > 1][:BATCHES]
    if not samples:
        raise NotMeasured("there is but one input, and memory is exchanged between two: give more")
    slots = list(range(trained.memory_tokens))
    names = [f"slot {slot}" for slot in slots]

    def of(parts: Sequence[str]) -> list[int]:
        return [slot for slot, name in zip(slots, names) if name in parts]

    if trained.is_translator:
        return measure(lambda parts: _translate(trained, samples, of(parts)), names)
    layers = trained.model.encoder.sentence_encoder.layers
    whole = [_read(trained, samples, layer, slots) for layer in layers]
    before = _read(trained, samples, layers[0], [])
    moved = [float((after.scores - before.scores).abs().mean()) for after in whole]
    layer = max(range(len(layers)), key=moved.__getitem__)
    found = measure(lambda parts: _read(trained, samples, layers[layer], of(parts)), names)
    return {"layer": layer, **found}


@torch.no_grad()
def _translate(
    trained: TrainedModel, samples: Sequence[dict[str, Any]], slots: list[int]
) -> Predictions:
    """With slots of the encoder's output exchanged, after the words of the reference."""
    scores, own = [], []
    for sample in samples:
        net_input, model = sample["net_input"], trained.model
        encoded = model.encoder(net_input["src_tokens"], net_input["src_lengths"])
        encoded["encoder_out"] = [_with_partners(rows, slots) for rows in encoded["encoder_out"]]
        output = model.decoder(net_input["prev_output_tokens"], encoder_out=encoded)
        places = sample["target"].ne(trained.task.target_dictionary.pad())
        scores.append(model.get_normalized_probs(output, log_probs=True)[places])
        own.append(sample["target"][places])
    return Predictions(torch.cat(scores).float(), torch.cat(own))


@torch.no_grad()
def _read(
    trained: TrainedModel, samples: Sequence[dict[str, Any]], layer: nn.Module, slots: list[int]
) -> Predictions:
    """With slots exchanged where they enter a layer."""
    found = []
    for sample in samples:
        with _exchanging(layer, slots), _heard(trained.model) as outputs:
            trained.criterion(trained.model, sample)
        found.append(_predictions(trained, sample, outputs[0]))
    scores, own, partners = zip(*found)
    theirs = None if partners[0] is None else torch.cat(partners)
    return Predictions(torch.cat(scores), torch.cat(own), theirs)


def _predictions(trained: TrainedModel, sample: dict[str, Any], scores: Tensor) -> Predictions:
    """What a head of a document model said, by what the criterion asked of it."""
    if "allowed" in sample:  # where an answer begins and ends
        scores = scores.float().permute(2, 0, 1).masked_fill(~sample["allowed"], -torch.inf)
        own = torch.cat([sample["starts"], sample["ends"]])
        return Predictions(scores.log_softmax(-1).flatten(0, 1), own)
    target = sample["target"]
    scores = scores.float().log_softmax(-1)
    if target.dim() == 1 or target.size(1) == 1:  # a label of the whole document
        own = target.flatten()
        return Predictions(scores, own, own.roll(-1))
    places = target.ne(trained.criterion.padding_idx)
    first = getattr(trained.criterion, "first_label", 0)
    return Predictions(scores[places] if scores.dim() == 3 else scores, target[places] - first)


@contextmanager
def _exchanging(layer: nn.Module, slots: list[int]) -> Iterator[None]:
    """Give the layer the partner's rows for some slots."""

    def exchange(_: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        rows, *others = arguments
        return (_with_partners(rows, slots), *others)

    with layer.register_forward_pre_hook(exchange):
        yield


@contextmanager
def _heard(model: nn.Module) -> Iterator[list[Tensor]]:
    """What a model gives, as it gives it."""
    outputs: list[Tensor] = []
    with model.register_forward_hook(lambda _, __, output: outputs.append(output[0])):
        yield outputs


def _with_partners(rows: Tensor, slots: list[int]) -> Tensor:
    """Rows ``N x B x C`` of which some are those of the next input in the batch."""
    return exchanged(rows.transpose(0, 1), slots).transpose(0, 1)
