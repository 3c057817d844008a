"""Asks for all faults, before fairseq is mended and after; starts from fairseq alone."""

import json
import os
import tempfile
from importlib import import_module
from pathlib import Path

import torch


def main() -> None:
    """Print ``{name: [before, after]}`` and what ``compat`` says of each, before it mends."""
    torch.set_num_threads(1)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    from fairseq_memtx import compat
    from faults import of_decoding, of_text, of_training, of_workers

    rooms = [vars(module) for module in (of_decoding, of_text, of_training, of_workers)]
    asked = {mend.__name__.rpartition(".")[2]: mend for mend in compat.mends()}
    faults = {name: room[name] for name in asked for room in rooms if name in room}
    report = [row._asdict() for row in compat.report()]
    before = {name: _shows(fault) for name, fault in faults.items()}
    import_module("fairseq_memtx.plugin")
    after = {name: _shows(fault) for name, fault in faults.items()}
    still = [name for name, mend in asked.items() if mend.mend.needed()]
    print(json.dumps({"before": before, "after": after, "report": report, "still": still}))


def _shows(fault) -> bool | str:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return bool(fault(Path(folder)))
        except Exception as error:
            return f"{type(error).__name__}: {error}"
