"""Processes that import the package and say what came of it; nothing else is imported here."""

import json
import logging
import os
import sys
import time
import warnings


def core_alone() -> None:
    """Import the core; print what it changed in the process, what came along, and its time."""
    import torch

    def state() -> list[str]:
        root, numpy = logging.getLogger(), sys.modules.get("numpy", sys)
        of_torch = torch.get_default_dtype(), torch.get_num_threads(), torch.initial_seed()
        of_python = sys.excepthook, sys.displayhook, sys.meta_path, sys.path, sys.path_hooks
        of_logging = root.handlers, root.level, root.manager.disable
        of_warnings = warnings.filters, warnings.showwarning
        of_system = sorted(os.environ.items()), os.getcwd(), sorted(vars(numpy))
        return list(map(str, (of_python, of_logging, of_warnings, of_torch, of_system)))

    before, start = state(), time.perf_counter()
    from fairseq_memtx import memory

    took = time.perf_counter() - start
    told = {
        "changed": [pair for pair in zip(before, state()) if pair[0] != pair[1]],
        "modules": sorted({name.split(".")[0] for name in sys.modules}),
        "seconds": took,
        "shape": list(memory.MemoryTokens(2, 4)(3).shape),
    }
    print(json.dumps(told))


def registered() -> None:
    """Import one thing after another, folders as by ``--user-dir``; print whose the models are."""
    from argparse import Namespace

    from fairseq import utils
    from fairseq.models import ARCH_MODEL_REGISTRY

    for name in sys.argv[1:]:
        if os.path.isabs(name):
            utils.import_user_module(Namespace(user_dir=name))
        else:
            __import__(name)
    print(ARCH_MODEL_REGISTRY["mem_transformer_tiny"].__module__)


def broken_afterwards() -> None:
    """An error that nobody knows."""
    __import__("fairseq_memtx.models")
    1 / 0  # noqa: B018


if __name__ == "__main__":
    core_alone()
