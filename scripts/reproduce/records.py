"""What runs measured, as a file that other machines go on from: a line a run."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.written_aside import written_aside

TOLD = {"measures": dict, "seconds": (int, float), "finished": str, "commit": str, "machine": str}


def read_records(path: Path) -> dict[str, dict[str, Any]]:
    """What is known of runs, by their names.

    Raises:
        MemtxError: if the file cannot be read, or is no ``runs.json``.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise MemtxError(f"{path} cannot be read: {cause}") from None
    if not isinstance(content, dict):
        raise MemtxError(f"{path} is no runs.json of reproduce.sh: it has no names of runs")
    for name, record in content.items():
        if not _whole(record):
            raise MemtxError(
                f"{path} is no runs.json of reproduce.sh: {name} does not have {', '.join(TOLD)}, "
                "with numbers as measures"
            )
    return content


def write_records(path: Path, records: Mapping[str, Mapping[str, Any]]) -> None:
    """Write such a file."""
    lines = [
        f"{json.dumps(name)}: {json.dumps(record)}" for name, record in sorted(records.items())
    ]
    with written_aside(path) as (partial,):
        partial.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _whole(record: Any) -> bool:
    return (
        isinstance(record, dict)
        and all(isinstance(record.get(name), kind) for name, kind in TOLD.items())
        and all(
            isinstance(value, (int, float)) and math.isfinite(value)
            for value in record["measures"].values()
        )
    )
