"""fairseq's ``sentence_prediction`` with `gmat_roberta`, a document in segments included."""

import random
import re
from pathlib import Path

import pytest
import torch
from conftest import fail, succeed

from fairseq_memtx.models.gmat_roberta import GmatRobertaModel

TRAIN = (
    "--user-dir fairseq_memtx --task sentence_prediction --criterion sentence_prediction "
    "--num-classes 2 --init-token 0 --arch gmat_roberta_tiny --encoder-embed-dim 32 "
    "--memory-tokens 4 --segments 3 --max-positions 25 --dropout 0 --attention-dropout 0 "
    "--optimizer adam --lr 3e-3 --batch-size 32 --required-batch-size-multiple 1 --cpu "
    "--num-workers 0 --log-format simple --no-epoch-checkpoints --seed 1"
)


@pytest.fixture(scope="module")
def documents(tmp_path_factory) -> Path:
    """What a document is about stands in its first third, and nowhere else."""
    text, folder = tmp_path_factory.mktemp("text"), tmp_path_factory.mktemp("data") / "bin"
    numbers = random.Random(1)
    for split, count in [("train", 600), ("valid", 60)]:
        lines, labels = [], []
        for _ in range(count):
            words = numbers.choices("abcdefgh", k=numbers.randint(16, 23))
            label = numbers.choice(["no", "yes"])
            words[numbers.randrange(7)] = label
            lines.append(" ".join(words))
            labels.append(label)
        (text / f"{split}.input0").write_text("\n".join(lines) + "\n")
        (text / f"{split}.label").write_text("\n".join(labels) + "\n")
    for side in ("input0", "label"):
        succeed(
            "fairseq-preprocess", "--only-source", "--trainpref", text / f"train.{side}",
            "--validpref", text / f"valid.{side}", "--destdir", folder / side,
        )  # fmt: skip
    return folder


def accuracy(output: str) -> float:
    return float(re.findall(r"valid on 'valid' subset.*accuracy ([\d.]+)", output)[-1])


def test_memory_carries_what_the_first_segment_says(documents, tmp_path):
    output = succeed(
        "fairseq-train", documents, *TRAIN.split(), "--max-update", 150, "--save-dir", tmp_path
    )
    assert accuracy(output) > 95
    validated = succeed(
        "fairseq-validate", documents, "--user-dir", "fairseq_memtx", "--path",
        tmp_path / "checkpoint_last.pt", "--task", "sentence_prediction", "--num-classes", 2,
        "--init-token", 0, "--max-positions", 25, "--batch-size", 7, "--cpu",
        "--criterion", "sentence_prediction", "--required-batch-size-multiple", 1,
    )  # fmt: skip
    assert accuracy(validated) == accuracy(output)
    line = fail(
        "fairseq-validate", documents, "--user-dir", "fairseq_memtx", "--path",
        tmp_path / "checkpoint_last.pt", "--task", "sentence_prediction", "--batch-size", 7,
        "--cpu",
    )  # fmt: skip
    assert "--criterion is missing or does not fit this --task" in line
    hub = GmatRobertaModel.from_pretrained(
        str(tmp_path), "checkpoint_last.pt", str(documents), bpe=None
    )
    line = "<s> a a yes a b c d e f g a b c d e f g h </s>"
    tokens = hub.task.source_dictionary.encode_line(line, append_eos=False).long()
    scores = hub.eval().predict("sentence_classification_head", tokens)
    yes = hub.task.label_dictionary.index("yes") - hub.task.label_dictionary.nspecial
    assert int(scores.argmax()) == yes
    assert hub.model.extract_memory(tokens[None]).shape == (1, 4, 32)
    assert isinstance(scores, torch.Tensor)
