"""Architecture presets: one YAML file each, for the command line and for hydra.

``config/model/<arch>.yaml`` is the only place where an architecture's sizes stand. The command line
reads it here (``--arch <arch>``); hydra finds it with ``--config-dir`` (``model=<arch>``) or by its
name (``model._name=<arch>``). Where both would have to be kept in step, hydra would ignore the
command-line preset of a dataclass model without a word.
"""

import argparse
from pathlib import Path
from typing import Any, Callable

from fairseq.models import register_model_architecture
from fairseq.models.roberta.model import base_architecture as roberta_architecture
from fairseq.models.transformer import base_architecture as transformer_architecture
from omegaconf import DictConfig, OmegaConf

from ..errors import MemtxError

FOLDER = Path(__file__).parents[1] / "config" / "model"


def read(arch: str) -> dict[str, Any]:
    """Sizes of an architecture, by the names of the command line's flags."""
    sizes: Any = OmegaConf.to_container(OmegaConf.load(FOLDER / f"{arch}.yaml"))
    del sizes["_name"], sizes["defaults"]
    return sizes


def register(
    model: str, arch: str, fill_up: Callable[[Any], None] = transformer_architecture
) -> None:
    """Register the YAML file ``arch`` as a named architecture of ``model``.

    What it is silent about, ``fill_up`` sets.
    """

    @register_model_architecture(model, arch)
    def fill_in(args: Any) -> None:
        for name, value in read(arch).items():
            if getattr(args, name, None) is None:
                setattr(args, name, value)
        fill_up(args)


def as_namespace(args: Any, model: type[Any]) -> Any:
    """A model's configuration as fairseq's transformer reads it.

    hydra hands over a `DictConfig`, from which fairseq's ``TransformerConfig.from_namespace`` would
    drop every name that is not its own, and in which a misspelled name would go unnoticed. A name
    that the model does not know is refused.
    """
    if not isinstance(args, DictConfig):
        return args
    settings: Any = OmegaConf.to_container(args, resolve=True)
    settings.pop("defaults", None)  # hydra's own, of a YAML file that is read without it
    unknown = sorted(settings.keys() - _known_names(model))
    if unknown:
        raise MemtxError(
            f"the model configuration has unknown names: {', '.join(unknown)}. Use the names of "
            "the command line with '_' for '-', such as memory_tokens"
        )
    return argparse.Namespace(**settings)


def _known_names(model: type[Any]) -> set[str]:
    parser = argparse.ArgumentParser()
    model.add_args(parser)
    filled_in = argparse.Namespace()
    transformer_architecture(filled_in)
    roberta_architecture(filled_in)
    return {action.dest for action in parser._actions} | set(vars(filled_in)) | {"_name", "arch"}
