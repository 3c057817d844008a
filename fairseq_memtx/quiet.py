"""What the libraries below say to their own developers is not said to users.

``PYTHONWARNINGS=default`` in the environment, or any ``-W`` of Python, shows all of it.
"""

import logging
import re
import sys
import warnings

KINDS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
# Of hydra and torch, about how fairseq calls them, in warnings of the kind that users get too.
SAYINGS = (
    "is deprecated",
    "Usage of deprecated keyword",
    "is no longer experimental",
    "The version_base parameter is not specified",
    "Future Hydra versions will no longer change working directory",
    "'pin_memory' argument is set as true but no accelerator is found",
)


def be_quiet() -> None:
    """Leave such warnings out, where nobody has asked for any and no filter says otherwise."""
    if sys.warnoptions:
        return
    for kind in KINDS:
        warnings.simplefilter("ignore", kind, append=True)
    for saying in SAYINGS:
        pattern = rf"(?s).*{re.escape(saying)}"
        warnings.filterwarnings("ignore", pattern, UserWarning, append=True)
    logging.getLogger("hydra.core.utils").setLevel(logging.INFO)
