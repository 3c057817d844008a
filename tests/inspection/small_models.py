"""Trained models of seconds, one a family and backbone, as real commands write them."""

from pathlib import Path

from conftest import succeed

COMMON = (
    "--user-dir fairseq_memtx --cpu --num-workers 0 --optimizer adam --lr 1e-3 --max-update 2 "
    "--disable-validation --no-epoch-checkpoints --seed 1 --batch-size 4 --train-size 8 "
    "--valid-size 8 --test-size 8"
)
LM = "--criterion cross_entropy --decoder-embed-dim 32 --decoder-ffn-embed-dim 32 --dropout 0"
FLAGS = {
    "facts": f"--task facts_in_noise --arch rmt_lm_tiny --memory-tokens 2 --segments 3 "
    f"--tokens-per-sample 16 --noise-words 20 --backbone transformer {LM}",
    "copy": f"--task algorithmic_sequences --algorithm copy --sequence-length 4 --segments 3 "
    f"--arch rmt_lm_tiny --memory-tokens 2 --cache-length 3 {LM}",
    "armt": f"--task facts_in_noise --arch armt_lm_tiny --segments 3 --tokens-per-sample 16 "
    f"--noise-words 20 {LM}",
    "tags": "--task majority-tagging --sequence-length 40 --arch gmat_roberta_tiny "
    "--memory-tokens 3 --chunk-size 8 --criterion sequence_tagging",
}


def train(kind: str, folder: Path) -> Path:
    """The checkpoint of a small model."""
    flags = [*COMMON.split(), *FLAGS[kind].split(), "--save-dir", folder]
    succeed("fairseq-train", *flags)
    return folder / "checkpoint_last.pt"
