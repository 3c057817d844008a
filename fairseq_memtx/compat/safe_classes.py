"""What torch may build when it loads a checkpoint of fairseq."""

import argparse
from typing import Any

import numpy
import torch

from . import where

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/5603"


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


@where(lambda: argparse.Namespace not in torch.serialization.get_safe_globals())
def mend() -> None:
    """Add what fairseq's checkpoints hold to torch's allow-list, and nothing else.

    torch 2.6 and later load weights only; the protection stays on.
    """
    torch.serialization.add_safe_globals(safe_classes())
