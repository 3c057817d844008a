"""Encoders of fairseq that have no flags of their own."""

from __future__ import annotations

import pytest
from fairseq import options
from fairseq.data import encoders
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.registry import REGISTRIES


@pytest.mark.parametrize("name", ["characters", "bytes"])
def test_they_can_be_asked_for(name):
    """Fairseq alone ends in a MissingConfigException of hydra."""
    parser = options.get_interactive_generation_parser("language_modeling")
    flags = ["unused", "--task", "language_modeling", "--path", "unused", "--bpe", name]
    cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, flags))
    encoder = encoders.build_bpe(cfg.bpe)
    assert encoder.decode(encoder.encode("The end")) == "The end"


def test_all_of_them():
    for group in ("bpe", "tokenizer"):
        assert (
            REGISTRIES[group]["registry"].keys() == REGISTRIES[group]["dataclass_registry"].keys()
        )
