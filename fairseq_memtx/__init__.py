"""Memory-augmented transformers for fairseq. Give this folder to ``--user-dir``.

Nothing is imported here, so that `memory` can be used where only torch is. What fairseq has to know
is registered once it imports `models` or `tasks`, or somebody else does; see `plugin`.
"""

import os

__version__ = "0.1.0"


class _Folders(list):
    """Where this package lies, in which fairseq looks for a ``--user-dir`` that is loaded already.

    It imports no models then: they are to be there.
    """

    def __contains__(self, folder: object) -> bool:
        from . import models  # noqa: F401

        return os.path.realpath(str(folder)) in map(os.path.realpath, self)


__path__ = _Folders(__path__)
