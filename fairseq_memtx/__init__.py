"""Memory-augmented transformers for fairseq.

Give this folder to ``--user-dir``. Importing it registers every architecture and criterion.
"""

from . import compat, errors

__version__ = "0.1.0"

errors.install_hook()
compat.check_versions()
compat.mend_fairseq()

from . import criterions, models, safe_loading, tasks  # noqa: E402

safe_loading.guard_fairseq()

__all__ = ["compat", "criterions", "errors", "models", "safe_loading", "tasks"]
