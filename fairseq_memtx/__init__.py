"""Memory-augmented transformers for fairseq.

Give this folder to ``--user-dir``. Importing it registers every architecture and criterion.
"""

# ruff: noqa: E402
from . import errors

__version__ = "0.1.0"

errors.install_hook()

from . import compat

compat.mend_fairseq()

from . import criterions, models, tasks
from .checkpoints import first_checkpoint, safe_loading
from .flags import misspelled, run_checks

misspelled.guard_fairseq()
first_checkpoint.guard_fairseq()
safe_loading.guard_fairseq()
run_checks.guard_fairseq()

__all__ = ["compat", "criterions", "errors", "models", "tasks"]
