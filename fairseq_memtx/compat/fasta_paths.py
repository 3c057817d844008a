"""Names of FASTA files, which fairseq hands to a shell."""

import shlex
from typing import Any

from . import around

UPSTREAM = "no thread found: FastaDataset._build_index in data/fasta_dataset.py"


@around("fairseq.data.fasta_dataset:FastaDataset._build_index", told_by="check_output")
def mend(unmended: Any, dataset: Any, path: str) -> Any:
    """Let a shell take the name of a FASTA file for a name, whatever is in it.

    To index a file of ``--dataset-impl fasta``, fairseq writes its path into a line of a shell
    (``fasta_dataset.py``, ``_build_index``). A folder of data or a language that is called
    ``a;b`` ran ``b``.
    """
    return unmended(dataset, shlex.quote(path))
