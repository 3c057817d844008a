"""Ensembles in ``fairseq-eval-lm``, whose help promises them."""

from __future__ import annotations

import argparse
import functools
import sys
from typing import Any

from fairseq import checkpoint_utils

UPSTREAM = "no thread found: main in fairseq_cli/eval_lm.py"


def needed() -> bool:
    command = sys.modules.get("fairseq_cli.eval_lm")
    return command is not None and command.checkpoint_utils is checkpoint_utils


def mend() -> None:
    """Let ``fairseq-eval-lm --path A:B`` load two models, as ``fairseq-generate`` does.

    fairseq looks for one file of that name (``fairseq_cli/eval_lm.py``, ``main``).
    """
    command: Any = sys.modules["fairseq_cli.eval_lm"]

    def load_model_ensemble_and_task(filenames, *args, **kwargs):
        paths = [part for name in filenames for part in command.utils.split_paths(name)]
        return checkpoint_utils.load_model_ensemble_and_task(paths, *args, **kwargs)

    functools.update_wrapper(
        load_model_ensemble_and_task, checkpoint_utils.load_model_ensemble_and_task
    )
    command.checkpoint_utils = argparse.Namespace(
        load_model_ensemble_and_task=load_model_ensemble_and_task
    )
