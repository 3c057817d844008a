"""What the folders of Hugging Face have in common: settings in JSON, and one file of weights."""

import json
import re
from pathlib import Path
from typing import Any

from ..checkpoints import safe_loading
from ..errors import MemtxError
from .weights import Weights

FILES = ("model.safetensors", "pytorch_model.bin")
NORM_EPSILON = 1e-5  # of torch's LayerNorm, which fairseq has no flag for


def read_json(path: Path) -> Any:
    """What a JSON file holds."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as cause:
        raise MemtxError(f"{path} is cut off or not JSON ({cause}): copy it again") from cause


def read_config(
    folder: Path, model: str, sizes: list[str], shares: list[str], only: dict[str, Any]
) -> dict[str, Any]:
    """The settings of a model; those of one that fairseq's cannot be are refused.

    Args:
        folder: with ``config.json``.
        model: its name, for errors.
        sizes: settings that are whole numbers above zero; of a ``..._token_id``, from zero on.
        shares: settings from 0 to 1.
        only: settings that fairseq's model has not got, and the one value that can be converted.
    """
    path = folder / "config.json"
    if not folder.is_dir():
        raise MemtxError(f"there is no folder {folder}: download the model first")
    if not path.is_file():
        raise MemtxError(f"there is no file {path}: give the folder of a Hugging Face model")
    config = read_json(path)
    if not isinstance(config, dict):
        raise MemtxError(f"{path} is not of a {model}: it has no names")
    for name in sizes:
        size = config.get(name)
        if type(size) is not int or size < (not name.endswith("_token_id")):
            raise MemtxError(f"{path} has no number {name} above zero: it is not of a {model}")
    for name in shares:
        share = config.get(name, 0.1)
        if type(share) not in (int, float) or not 0 <= share <= 1:
            raise MemtxError(f"{path} has {name} {str(share)[:40]}: correct it, it is 0 to 1")
    for name, known in only.items():
        if config.get(name, known) != known:
            raise MemtxError(
                f"{path} has {name} {config[name]}: fairseq's {model} only knows {known}"
            )
    return config


def norm_note(config: dict[str, Any], name: str) -> list[str]:
    """What to say of another epsilon than fairseq's."""
    told = f"{name} is {config[name]}, fairseq's {NORM_EPSILON}: results differ a little"
    return [told] if config[name] != NORM_EPSILON else []


def read_weights(folder: Path, base: str, unused: re.Pattern[str]) -> Weights:
    """Those of `read_file` of a folder with one of `FILES`."""
    found = [folder / name for name in FILES if (folder / name).is_file()]
    if not found:
        raise MemtxError(
            f"{folder} has neither {' nor '.join(FILES)}: copy the weights there, in one file"
        )
    return read_file(found[0], base, unused)


def read_file(path: Path, base: str, unused: re.Pattern[str]) -> Weights:
    """The weights of a file in float32, which is what fairseq trains; others are refused.

    Args:
        path: of the file.
        base: what the names begin with but those of the last layers; it may be missing there.
        unused: the names of weights that are left out.
    """
    if not path.is_file():
        raise MemtxError(f"there is no file {path}: check the flags")
    weights = Weights(path, _load(path))
    if not any(base in name for name in weights):
        for name in [name for name in weights if not name.startswith("lm_head.")]:
            weights[base + name] = weights.pop(name)
    for name in list(weights):
        if unused.search(name):
            del weights[name]
        elif not weights[name].is_floating_point():
            raise MemtxError(
                f"{weights.path} has {name} in {weights[name].dtype}: it is quantised, use the "
                "model that it was made of"
            )
        else:
            weights[name] = weights[name].float()
    return weights


def _load(path: Path) -> Any:
    if path.suffix != ".safetensors":
        return safe_loading.load(str(path))
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as cause:
        raise MemtxError(f"{path} is cut off or damaged ({cause}): copy it again") from cause


def as_flags(settings: dict[str, Any]) -> str:
    """Settings of a model for the command line; what is off is not named."""
    return " ".join(
        f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}")
        for name, value in settings.items()
        if value is not False
    )
