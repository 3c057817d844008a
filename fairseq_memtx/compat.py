"""All that the plugin knows of versions: of Python, torch, numpy and fairseq.

Imported before anything else. Features are probed rather than version numbers compared, because
trees of fairseq differ while their version files agree. Imports nothing but fairseq, torch and
numpy, so that a user's own fairseq works by ``--user-dir`` without installing anything.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy
import torch

from .errors import MemtxError

OLDEST_PYTHON = (3, 8)


def check_versions(python: tuple[int, ...] = sys.version_info[:3]) -> None:
    """Stop early, in one line, where the plugin cannot work.

    Raises:
        MemtxError: for a Python that is too old, and for a fairseq that is missing, cannot be
            imported, or has not the hooks of the 0.12 line.
    """
    if python < OLDEST_PYTHON:
        raise MemtxError(
            f"Python {'.'.join(map(str, python))} is too old: use Python 3.11 or 3.12 "
            "(3.8 or later with a fairseq of your own)"
        )
    advice = "install the fairseq that is tested with 'pip install ve-fairseq==0.12.3'"
    try:
        import fairseq
        from fairseq.models.transformer import TransformerConfig, TransformerEncoderBase
    except Exception as cause:
        found = getattr(sys.modules.get("fairseq"), "__version__", "none that can be imported")
        raise MemtxError(
            f"fairseq 0.12 is needed and {found} was found ({cause}): {advice}"
        ) from cause
    for owner, hook in [
        (TransformerEncoderBase, "forward_embedding"),
        (TransformerEncoderBase, "build_encoder_layer"),
        (TransformerConfig, "from_namespace"),
    ]:
        if not hasattr(owner, hook):
            raise MemtxError(
                f"fairseq {getattr(fairseq, '__version__', '')} has no {owner.__name__}.{hook}, "
                f"which the plugin overrides: {advice}"
            )


def restore_numpy_long() -> None:
    """Give numpy 2 the ``np.compat.long`` that fairseq's data sets still use.

    In ``token_block_dataset.py`` (break mode ``eos``) and ``language_pair_dataset.py``
    (``--num-batch-buckets``). Removed by numpy 2.0: https://github.com/numpy/numpy/pull/23830
    """
    if not hasattr(numpy, "compat"):
        numpy.compat = argparse.Namespace(long=int)


def repair_whole_word_masking() -> None:
    """Let ``masked_lm --mask-whole-words`` find the settings of ``--bpe``.

    The task looks for them in ``self.args``, which it lost when it got a configuration of its own:
    https://github.com/facebookresearch/fairseq/issues/3924. They lie beside the task's, in the
    configuration around both. With that, fairseq knows the words of every BPE but subword_nmt and
    fastbpe; `whole_words` knows all.
    """
    from fairseq.tasks import LegacyFairseqTask, masked_lm

    from .data.whole_words import word_beginnings

    if not issubclass(masked_lm.MaskedLMTask, LegacyFairseqTask):
        masked_lm.MaskedLMTask.args = property(lambda task: task.cfg._get_parent().bpe)
        masked_lm.get_whole_word_mask = word_beginnings


def safe_classes() -> list[Any]:
    """What fairseq's checkpoints hold beside tensors and plain Python values.

    ``argparse.Namespace`` for the configuration of models with command-line presets; small numpy
    arrays in the meters once ``--eval-bleu`` ran. The configuration as a whole is a plain dict.
    """
    # numpy 2 keeps its C functions under numpy._core and numpy 1 under numpy.core; a checkpoint
    # names the place of the numpy that wrote it.
    multiarray = getattr(numpy, "_core", None) or numpy.core
    functions = [multiarray.multiarray._reconstruct, multiarray.multiarray.scalar]
    numbers = [numpy.bool_, numpy.int32, numpy.int64, numpy.float32, numpy.float64]
    return [
        argparse.Namespace,
        numpy.ndarray,
        numpy.dtype,
        *{type(numpy.dtype(number)) for number in numbers},
        *functions,
        *(
            (function, f"numpy.{core}.multiarray.{function.__name__}")
            for function in functions
            for core in ("core", "_core")
        ),
    ]


def allow_fairseq_checkpoints() -> None:
    """Add what fairseq's checkpoints hold to torch's allow-list, and nothing else.

    torch 2.6 and later load weights only; the protection stays on.
    """
    if hasattr(torch.serialization, "add_safe_globals"):
        torch.serialization.add_safe_globals(safe_classes())


# PyPI's fairseq 0.12.2 gives every encoder layer a second, never trained set of weights for torch's
# BetterTransformer path, which then fails on left-padded batches and under DDP
# (https://github.com/facebookresearch/fairseq/issues/4858). Other trees have none of these names.
_FAST_PATH_WEIGHTS = [
    f"{module}_{kind}"
    for module in ("in_proj", "out_proj", "fc1", "fc2")
    for kind in ("weight", "bias")
]


def drop_fast_path(layer: torch.nn.Module) -> None:
    """Take the BetterTransformer path and its weights out of an encoder layer, if it has them."""
    layer.can_use_fastpath = False
    for name in _FAST_PATH_WEIGHTS:
        layer._parameters.pop(name, None)


def drop_fast_path_weights(state_dict: dict[str, Any], prefix: str) -> None:
    """Take the same weights out of a checkpoint that such a tree wrote."""
    for name in _FAST_PATH_WEIGHTS:
        state_dict.pop(prefix + name, None)


def versions() -> dict[str, str]:
    """Name and version of everything that matters in a bug report."""
    import fairseq

    return {
        "python": sys.version.split()[0],
        "fairseq": fairseq.__version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
    }
