"""``--bf16`` and ``--amp`` on a CPU: products in bfloat16, all else as ever.

fairseq takes ``--bf16`` on a command line for a TPU, and ``--amp`` for nothing where there is no
GPU. Here both open torch's autocast around whatever computes: a criterion, in training and
validation, and a generator or scorer of texts. Weights, their updates and checkpoints stay in
float32, losses are summed in it, and a run may go on with the flag or without.
"""

import importlib.util
import logging
import sys
from pathlib import Path
from typing import Any

import torch

from ..put_around import put_around

logger = logging.getLogger(__name__)

# As Linux names them, on x86 and ARM.
INSTRUCTIONS = {"avx512_bf16", "amx_bf16", "bf16"}
COMPUTE = (
    "fairseq.criterions:FairseqCriterion.__call__",
    "fairseq.sequence_generator:SequenceGenerator.generate",
    "fairseq.sequence_scorer:SequenceScorer.generate",
)
_chosen = {"bfloat16": False}  # by the flags that were parsed last, or a training's


def guard_fairseq() -> None:
    """Put autocast around fairseq's functions that compute, and tell it when to be there."""
    put_around("fairseq.options:parse_args_and_arch", _parse)
    put_around("fairseq.trainer:Trainer.__init__", _begin_training)
    for place in COMPUTE:
        put_around(place, _compute)


def instructions() -> set[str]:
    """What the processor has for bfloat16; nothing where that is not known."""
    try:
        words = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return set()
    return INSTRUCTIONS.intersection(words)


def _parse(parse: Any, parser: Any, input_args: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Flags of a command, whose ``--bf16`` means no TPU where none can be used."""
    parsed = parse(parser, input_args, *args, **kwargs)
    flags = parsed[0] if isinstance(parsed, tuple) else parsed
    if kwargs.get("suppress_defaults"):
        return parsed
    asked = "--tpu" in (sys.argv if input_args is None else input_args)
    if flags.bf16 and not asked and importlib.util.find_spec("torch_xla") is None:
        flags.tpu = False
    _choose(flags)
    return parsed


def _begin_training(begin: Any, trainer: Any, cfg: Any, *args: Any, **kwargs: Any) -> None:
    """Also that of fairseq-hydra-train, which parses nothing."""
    _choose(cfg.common)
    if _chosen["bfloat16"]:
        cfg.common.bf16 = cfg.common.amp = False  # or weights would be converted, losses scaled
    begin(trainer, cfg, *args, **kwargs)


def _choose(common: Any) -> None:
    """Take over what the flags say of products on a CPU, and tell what that is worth."""
    on_cpu = common.cpu or not torch.cuda.is_available()
    wanted = (common.bf16 or common.amp) and not (common.memory_efficient_bf16 or common.tpu)
    known, _chosen["bfloat16"] = _chosen["bfloat16"], bool(on_cpu and wanted)
    if not _chosen["bfloat16"] or known:
        return
    logger.info("products are in bfloat16, weights and losses in float32")
    if not instructions():
        logger.warning(
            "this processor has no instructions for bfloat16 (avx512_bf16, amx_bf16): --bf16 and "
            "--amp will make it slower, leave them out"
        )


def _compute(compute: Any, *args: Any, **kwargs: Any) -> Any:
    if not _chosen["bfloat16"]:
        return compute(*args, **kwargs)
    with torch.autocast("cpu", torch.bfloat16):
        return compute(*args, **kwargs)
