"""Memory-augmented transformers for fairseq.

Give this folder to ``--user-dir``. Importing it registers every architecture and criterion.
"""

# ruff: noqa: E402
from . import errors

__version__ = "0.1.0"

errors.install_hook()

from . import compat

compat.mend_fairseq()

from . import command_line, criterions, first_checkpoint, models, run_checks, safe_loading, tasks

command_line.guard_fairseq()
first_checkpoint.guard_fairseq()
safe_loading.guard_fairseq()
run_checks.guard_fairseq()

__all__ = ["compat", "criterions", "errors", "models", "safe_loading", "tasks"]
