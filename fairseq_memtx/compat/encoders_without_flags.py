"""``--bpe characters`` and ``--bpe bytes``, on which every command of fairseq crashes."""

from dataclasses import make_dataclass

from fairseq.dataclass import FairseqDataclass
from fairseq.registry import REGISTRIES
from hydra.core.config_store import ConfigStore

from . import where

GROUPS = ("bpe", "tokenizer")
UPSTREAM = "no thread found: override_module_args in dataclass/utils.py"


@where(lambda: any(map(_without_flags, GROUPS)))
def mend() -> None:
    """Give encoders that have no flags an empty configuration.

    A command puts the settings of ``--bpe`` under its name. Where an encoder has none, fairseq
    composes ``bpe=characters`` (`override_module_args` in ``dataclass/utils.py``, with
    ``use_name_as_val``), which hydra then looks for and does not find.
    """
    for group in GROUPS:
        known = REGISTRIES[group]["dataclass_registry"]
        for name in _without_flags(group):
            known[name] = make_dataclass("EmptyConfig", [], bases=(FairseqDataclass,))
            node = known[name]()
            node._name = name
            ConfigStore.instance().store(name=name, group=group, node=node, provider="fairseq")


def _without_flags(group: str) -> set[str]:
    registry = REGISTRIES[group]
    return registry["registry"].keys() - registry["dataclass_registry"].keys()
