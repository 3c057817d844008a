"""What happens once, before fairseq meets anything of ours: it is mended, guarded and told of us.

Every room that builds on fairseq begins by importing this file, whichever of them comes first:
fairseq imports `tasks` and `models` by ``--user-dir``, and people what they like.
"""

# ruff: noqa: E402
from . import errors

errors.install_hook()

from . import quiet

quiet.be_quiet()

from . import kept_pages

kept_pages.keep()

from . import versions

versions.check()
versions.check_registered_once(__package__)

from . import compat

compat.mend_fairseq()

from .checkpoints import first_checkpoint, safe_loading
from .flags import cpu_precision, misspelled, run_checks

for room in (cpu_precision, misspelled, first_checkpoint, safe_loading, run_checks):
    room.guard_fairseq()

from . import criterions, models, optim, tasks
from .modules import vocabulary_product

vocabulary_product.quicken_generation()

__all__ = ["criterions", "models", "optim", "tasks"]
