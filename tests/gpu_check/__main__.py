"""``python -m gpu_check``, by ``scripts/gpu_check.sh``."""

from .check import main

if __name__ == "__main__":
    main()
