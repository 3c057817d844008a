"""Names of FASTA files are names for a shell, too."""

import subprocess

import pytest
from fairseq.data.fasta_dataset import FastaDataset

import fairseq_memtx.models  # noqa: F401


@pytest.mark.parametrize("name", ["plain", "a b", "a;touch canary;b", "$(touch canary)", "a'b"])
def test_a_name_is_not_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{name}.fasta").write_text(">one\nACGT\n>two\nAC\n")
    lines = []

    def run(line, **flags):
        """Fairseq's line, without the progress bar that it wants to have installed."""
        lines.append(line)
        return subprocess.run(
            line.replace("tqdm --bytes --total", "true;cat -- >/dev/null "), **flags, check=False,
            stdout=subprocess.PIPE,
        ).stdout  # fmt: skip

    monkeypatch.setattr("fairseq.data.fasta_dataset.subprocess.check_output", run)
    monkeypatch.setattr("numpy.fromstring", lambda text, **_: text)
    FastaDataset._build_index(object.__new__(FastaDataset), str(tmp_path / name))
    assert len(lines) == 2
    assert not (tmp_path / "canary").exists()
