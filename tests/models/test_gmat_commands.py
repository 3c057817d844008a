"""A RoBERTa of fairseq's, as it was released, goes on as `gmat_roberta` on the command line."""

from argparse import Namespace
from pathlib import Path

import pytest
import torch
from conftest import fail, succeed
from fairseq.data import Dictionary
from fairseq.models import ARCH_CONFIG_REGISTRY
from fairseq.models.roberta import RobertaModel

SHAPE = {
    "encoder_layers": 2,
    "encoder_embed_dim": 16,
    "encoder_ffn_embed_dim": 32,
    "encoder_attention_heads": 2,
}


@pytest.fixture(scope="module")
def old_roberta(toy_lm, tmp_path_factory) -> Path:
    """Weights and ``args``, as in the checkpoints of 2019; 10 positions."""
    dictionary = Dictionary.load(str(toy_lm / "dict.txt"))
    dictionary.add_symbol("<mask>")
    args = Namespace(
        arch="roberta", task="masked_lm", criterion="masked_lm", max_positions=10,
        tokens_per_sample=10, data="data", sample_break_mode="complete", mask_prob=0.15,
        leave_unmasked_prob=0.1, random_token_prob=0.1, mask_whole_words=False, seed=1, **SHAPE,
    )  # fmt: skip
    ARCH_CONFIG_REGISTRY["roberta"](args)
    torch.manual_seed(1)
    model = RobertaModel.build_model(args, Namespace(source_dictionary=dictionary))
    path = tmp_path_factory.mktemp("old") / "model.pt"
    history = [{"criterion_name": "MaskedLmLoss", "optimizer_name": "FairseqAdam", "num_updates": 9,
                "lr_scheduler_state": {}}]  # fmt: skip
    state = {"args": args, "model": model.state_dict(), "optimizer_history": history,
             "extra_state": {"epoch": 1}, "last_optimizer_state": {}}  # fmt: skip
    torch.save(state, path)
    return path


def train(data: Path, save_dir: Path, *more: object) -> list[object]:
    flags = " ".join(f"--{name.replace('_', '-')} {size}" for name, size in SHAPE.items())
    flags += (
        " --user-dir fairseq_memtx --task masked_lm --criterion masked_lm --arch gmat_roberta "
        "--memory-tokens 3 --chunk-size 8 --tokens-per-sample 40 --max-positions 40 "
        "--optimizer adam --lr 1e-9 --batch-size 8 --max-update 2 --cpu --num-workers 0 "
        "--log-format simple --no-epoch-checkpoints --checkpoint-activations "
        "--required-batch-size-multiple 1"
    )
    return ["fairseq-train", data, *flags.split(), "--save-dir", save_dir, *more]


@pytest.mark.parametrize("start", ["restore", "finetune"])
def test_an_old_checkpoint_becomes_a_model_of_long_documents(old_roberta, toy_lm, tmp_path, start):
    resets = ["--reset-optimizer", "--reset-dataloader", "--reset-meters"]
    flags = {
        "restore": ["--restore-file", old_roberta, *resets],
        "finetune": ["--finetune-from-model", old_roberta],
    }[start]
    output = succeed(*train(toy_lm, tmp_path, *flags))
    assert "the 10 positions of the checkpoint are repeated to 40" in output
    assert "0 memory tokens come from the checkpoint and 3 are newly initialised" in output
    load = {"map_location": "cpu", "weights_only": True}
    saved = torch.load(tmp_path / "checkpoint_last.pt", **load)["model"]
    old = torch.load(old_roberta, **load)["model"]
    prefix = "encoder.sentence_encoder."
    assert saved[f"{prefix}memory.weight"].shape == (3, 16)
    table, positions = (s[f"{prefix}embed_positions.weight"] for s in (old, saved))
    torch.testing.assert_close(positions[2:], table[2:].repeat(4, 1), rtol=0, atol=1e-6)
    names = old.keys() - {f"{prefix}embed_positions.weight"}
    for name in names:
        torch.testing.assert_close(saved[name], old[name], rtol=0, atol=1e-6)


def test_a_checkpoint_of_another_width(old_roberta, toy_lm, tmp_path):
    flags = ["--finetune-from-model", old_roberta, "--encoder-embed-dim", 32]
    line = fail(*train(toy_lm, tmp_path, *flags))
    assert "the checkpoint is of another model" in line
    assert "have another shape" in line


def test_a_data_folder_that_was_cut_off(toy_lm, tmp_path):
    for file in toy_lm.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    text = tmp_path / "train.bin"
    text.write_bytes(text.read_bytes()[:-100])
    line = fail(*train(tmp_path, tmp_path / "ck"))
    assert f"{text} is cut off at {text.stat().st_size} of" in line
