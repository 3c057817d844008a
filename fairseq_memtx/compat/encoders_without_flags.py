"""``--bpe characters`` and ``--bpe bytes``, on which every command of fairseq crashes."""

from __future__ import annotations

from dataclasses import make_dataclass


def mend() -> None:
    """Give encoders that have no flags an empty configuration.

    A command puts the settings of ``--bpe`` under its name. Where an encoder has none, fairseq
    composes ``bpe=characters`` (`override_module_args` in ``dataclass/utils.py``, with
    ``use_name_as_val``), which hydra then looks for and does not find.
    """
    from fairseq.dataclass import FairseqDataclass
    from fairseq.registry import REGISTRIES
    from hydra.core.config_store import ConfigStore

    for group in ("bpe", "tokenizer"):
        known = REGISTRIES[group]["dataclass_registry"]
        for name in REGISTRIES[group]["registry"].keys() - known.keys():
            known[name] = make_dataclass("EmptyConfig", [], bases=(FairseqDataclass,))
            node = known[name]()
            node._name = name
            ConfigStore.instance().store(name=name, group=group, node=node, provider="fairseq")
