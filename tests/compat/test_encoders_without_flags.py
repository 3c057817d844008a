"""Encoders of fairseq that have no flags of their own."""

import pytest
from fairseq import options
from fairseq.data import encoders
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.registry import REGISTRIES
from hydra.core.config_store import ConfigStore


@pytest.mark.parametrize("name", ["characters", "bytes"])
def test_they_can_be_asked_for(name):
    """Fairseq alone ends in a MissingConfigException of hydra."""
    parser = options.get_interactive_generation_parser("language_modeling")
    flags = ["unused", "--task", "language_modeling", "--path", "unused", "--bpe", name]
    cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, flags))
    encoder = encoders.build_bpe(cfg.bpe)
    assert encoder.decode(encoder.encode("The end")) == "The end"


def test_hydra_is_told_which_one_it_is():
    """``fairseq-hydra-train bpe=characters``, where no command line says it again."""
    for group, name in [("bpe", "characters"), ("bpe", "bytes"), ("tokenizer", "space")]:
        assert ConfigStore.instance().load(f"{group}/{name}.yaml").node._name == name


def test_all_of_them():
    for group in ("bpe", "tokenizer"):
        assert (
            REGISTRIES[group]["registry"].keys() == REGISTRIES[group]["dataclass_registry"].keys()
        )
