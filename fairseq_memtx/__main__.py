"""``python -m fairseq_memtx`` is ``fairseq-memtx``."""

import sys

from .commands.main import main

if __name__ == "__main__":
    sys.exit(main())
