"""Ensembles in ``fairseq-eval-lm``, whose help promises them."""

import argparse
import functools

from fairseq import checkpoint_utils

from . import command

UPSTREAM = "no thread found: main in fairseq_cli/eval_lm.py"


def needed() -> bool:
    eval_lm = command("eval_lm")
    return eval_lm is not None and eval_lm.checkpoint_utils is checkpoint_utils


def mend() -> None:
    """Let ``fairseq-eval-lm --path A:B`` load two models, as ``fairseq-generate`` does.

    fairseq looks for one file of that name (``fairseq_cli/eval_lm.py``, ``main``).
    """
    eval_lm = command("eval_lm")

    def load_model_ensemble_and_task(filenames, *args, **kwargs):
        paths = [part for name in filenames for part in eval_lm.utils.split_paths(name)]
        return checkpoint_utils.load_model_ensemble_and_task(paths, *args, **kwargs)

    functools.update_wrapper(
        load_model_ensemble_and_task, checkpoint_utils.load_model_ensemble_and_task
    )
    eval_lm.checkpoint_utils = argparse.Namespace(
        load_model_ensemble_and_task=load_model_ensemble_and_task
    )
