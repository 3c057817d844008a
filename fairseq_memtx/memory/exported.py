"""Models in folders: ``model.safetensors`` and ``config.json``, for torch and safetensors alone.

The JSON has the ``settings`` of the model, the ``symbols`` of its dictionary in order, the
``versions`` of what wrote it, and which weights are ``shared``: tied ones are written once.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from .language_model import SegmentLanguageModel
from .language_model_settings import LanguageModelSettings
from .word_bands import Band

FORMAT = 1  # of the folder
WEIGHTS, CONFIGURATION = "model.safetensors", "config.json"
PARTS = {"versions": dict, "settings": dict, "shared": dict, "symbols": list}
Kind = TypeVar("Kind", Band, LanguageModelSettings)


def save(model: SegmentLanguageModel, folder: Path, versions: Mapping[str, str]) -> None:
    """Write a model.

    Args:
        model: with its symbols.
        folder: which is there.
        versions: of what made it, by name.
    """
    from safetensors.torch import save_file

    weights: dict[str, Tensor] = {}
    shared: dict[str, str] = {}
    first: dict[object, str] = {}
    for name, weight in model.state_dict().items():
        owner = first.setdefault((weight.data_ptr(), weight.shape, weight.stride()), name)
        if owner == name:
            weights[name] = weight.contiguous()
        else:
            shared[name] = owner
    save_file(weights, folder / WEIGHTS)
    told = {"format": FORMAT, "versions": dict(versions), "settings": asdict(model.settings)}
    told |= {"shared": shared, "symbols": model.symbols}
    text = json.dumps(told, ensure_ascii=False, indent=1)
    (folder / CONFIGURATION).write_text(text, encoding="utf-8")


def load(folder: str | Path) -> SegmentLanguageModel:
    """The model in a folder that ``fairseq-memtx export`` wrote, on the CPU.

    Raises:
        ValueError: in one line, if the folder is not whole, of another version, or no such folder.
    """
    path = Path(folder) / CONFIGURATION
    told = _configuration(path)
    try:
        settings, symbols = _settings(told["settings"]), tuple(told["symbols"])
        known = sum(band.words for band in settings.input_bands)
        if not all(isinstance(symbol, str) for symbol in symbols) or len(symbols) != known:
            raise ValueError(f"symbols are {len(symbols)} and the embedding has {known} words")
        weights = _weights(path.with_name(WEIGHTS), told["shared"])
        if settings.layers > len(weights):
            raise ValueError(f"layers are {settings.layers}, and there are no weights of so many")
        with torch.device("meta"):
            model = SegmentLanguageModel(settings, symbols)
    except (ValueError, TypeError, RuntimeError) as cause:
        wrong = str(cause).splitlines()[0]
        raise ValueError(f"{path} makes no model: {wrong}: export the model again") from cause
    needed = model.state_dict()
    for name in sorted(needed.keys() | weights.keys()):
        found, wanted = (tuple(w[name].shape) if name in w else None for w in (weights, needed))
        if found != wanted:
            raise ValueError(
                f"{path.with_name(WEIGHTS)} does not fit {CONFIGURATION}: {name} has the shape "
                f"{found} and is to have {wanted}: export the model again"
            )
    model.load_state_dict(weights, assign=True)
    return model.eval()


def _configuration(path: Path) -> dict[str, Any]:
    """What a JSON says, part by part of the right kind."""
    for file in (path, path.with_name(WEIGHTS)):
        if not file.is_file():
            raise ValueError(f"there is no {file}: give what fairseq-memtx export wrote")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as cause:
        raise ValueError(f"{path} cannot be read: {cause}: export the model again") from cause
    if not isinstance(told, dict) or "format" not in told:
        raise ValueError(f"{path} is of no model: give what fairseq-memtx export wrote")
    if told["format"] != FORMAT:
        raise ValueError(
            f"{path} has the format {str(told['format'])[:40]!r}, and {FORMAT} is read: export the "
            "model again"
        )
    for name, kind in PARTS.items():
        if not isinstance(told.get(name), kind):
            raise ValueError(f"{path} has no {name}: export the model again")
    return told


def _settings(told: dict[str, Any]) -> LanguageModelSettings:
    bands = {
        name: tuple(_made(Band, band) for band in told[name])
        for name in ("input_bands", "output_bands")
        if isinstance(told.get(name), list)
    }
    return _made(LanguageModelSettings, {**told, **bands})


def _made(kind: type[Kind], told: Any) -> Kind:
    """A dataclass of values that are of its types, and none else."""
    wanted = {field.name: field.type for field in fields(kind)}
    if not isinstance(told, dict):
        raise ValueError(f"{told!r} is no {kind.__name__}")
    for name in sorted(wanted.keys() ^ told.keys()):
        raise ValueError(f"{name} is {'unknown' if name in told else 'missing'}")
    for name, value in told.items():
        if type(value) is not (tuple if "bands" in name else wanted[name]):
            raise ValueError(f"{name} is {str(value)[:40]!r}")
    return kind(**told)


def _weights(path: Path, shared: dict[str, str]) -> dict[str, nn.Parameter]:
    """Those of a file; one and the same under two names where it is shared."""
    from safetensors.torch import load_file

    try:
        read = load_file(path)
    except Exception as cause:  # whatever safetensors makes of a file
        raise ValueError(f"{path} cannot be read: {cause}") from cause
    types = {weight.dtype for weight in read.values()}
    if len(types) != 1 or not types.pop().is_floating_point:
        raise ValueError(f"the weights of {path} are not all of one floating type")
    weights = {name: nn.Parameter(weight) for name, weight in read.items()}
    for name, owner in shared.items():
        if owner not in weights:
            raise ValueError(f"{path} has no {owner!r}, which is shared")
        weights[name] = weights[owner]
    return weights
