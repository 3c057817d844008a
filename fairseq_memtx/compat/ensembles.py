"""Ensembles in ``fairseq-eval-lm``, whose help promises them."""

from types import SimpleNamespace

from fairseq import checkpoint_utils

from . import command, where

UPSTREAM = "no thread found: main in fairseq_cli/eval_lm.py"


@where(lambda: getattr(command("eval_lm"), "checkpoint_utils", None) is checkpoint_utils)
def mend() -> None:
    """Let ``fairseq-eval-lm --path A:B`` load two models, as ``fairseq-generate`` does.

    fairseq looks for one file of that name (``fairseq_cli/eval_lm.py``, ``main``).
    """
    eval_lm = command("eval_lm")

    def load(filenames, *args, **kwargs):
        paths = [part for name in filenames for part in eval_lm.utils.split_paths(name)]
        return checkpoint_utils.load_model_ensemble_and_task(paths, *args, **kwargs)

    eval_lm.checkpoint_utils = SimpleNamespace(load_model_ensemble_and_task=load)
