"""What hydra would read anew whenever fairseq composes its settings, read once, on being loaded.

fairseq has them composed by hydra, out of three hundred words such as
``common.no_progress_bar=False`` of which nearly all are always the same. To parse those, and to
copy all that was ever registered, takes a fifth of a short command (see `warm_commands`), and half
of what a test waits for a small model.
"""

import copy
import logging
from functools import cache
from typing import Any

from fairseq import options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser

_parse_rule = OverridesParser.parse_rule


def _parse_once(parser: OverridesParser, word: str, rule: str) -> Any:
    return copy.copy(_parsed(word, rule))


@cache
def _parsed(word: str, rule: str) -> Any:
    return _parse_rule(OverridesParser.create(), word, rule)


OverridesParser.parse_rule = _parse_once
ConfigStore.__deepcopy__ = lambda store, memo: store  # what it gives away it copies once more
logging.disable(logging.DEBUG)  # which hydra has much to tell to
for parser, words in (
    (options.get_training_parser(), ["data", "--arch", "transformer"]),
    (options.get_generation_parser(), ["data"]),
):
    convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, words))
logging.disable(logging.NOTSET)
