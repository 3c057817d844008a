"""Processes for work whose memory is that of nobody else."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


def new_process() -> ProcessPoolExecutor:
    """One process, for all that is submitted until this is closed."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["torch", "fairseq"])  # which takes seconds
    return ProcessPoolExecutor(1, mp_context=context)
