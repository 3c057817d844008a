"""Names of FASTA files, which fairseq hands to a shell."""

import shlex

from fairseq.data.fasta_dataset import FastaDataset

from . import says

UPSTREAM = "no thread found: FastaDataset._build_index in data/fasta_dataset.py"


def needed() -> bool:
    return says(FastaDataset._build_index, "check_output")


def mend() -> None:
    """Let a shell take the name of a FASTA file for a name, whatever is in it.

    To index a file of ``--dataset-impl fasta``, fairseq writes its path into a line of a shell
    (``fasta_dataset.py``, ``_build_index``). A folder of data or a language that is called
    ``a;b`` ran ``b``.
    """
    unmended = FastaDataset._build_index

    def build_index(dataset: FastaDataset, path: str):
        return unmended(dataset, shlex.quote(path))

    FastaDataset._build_index = build_index
