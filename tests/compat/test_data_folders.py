"""What is said of a folder that holds no binarised text: what it is, and never to delete it."""

import re

import pytest
from fairseq.data import data_utils

from fairseq_memtx.data import data_folder
from fairseq_memtx.errors import MemtxError


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([], "is empty"),
        (
            ["config.json", "model.safetensors", "vocab.json"],
            r"Hugging Face.*fairseq-memtx convert hf-roberta",
        ),
        (["config.json", "pytorch_model.bin"], r"Hugging Face.*fairseq-memtx convert hf-roberta"),
        (["train.de", "train.en"], r"no binarised text: run fairseq-preprocess.*memtx prepare"),
        (["train.txt"], "no binarised text: run fairseq-preprocess"),
        (["checkpoint_best.pt"], "holds checkpoints"),
        (["train.bin", "train.idx"], "half-written, or of another task"),
    ],
)
def test_what_a_folder_is(tmp_path, files, says):
    for name in files:
        (tmp_path / name).touch()
    assert re.search(says, data_folder.what_it_is(tmp_path))
    with pytest.raises(MemtxError, match=says) as error:
        data_utils.infer_language_pair(str(tmp_path))
    assert "elete" not in str(error.value)


def test_no_folder(tmp_path):
    for path, says in ((tmp_path / "nowhere", "there is no data folder"), (__file__, "is a file")):
        with pytest.raises(MemtxError, match=says):
            data_utils.infer_language_pair(str(path))


def test_a_language_pair_is_found_as_before(tmp_path):
    (tmp_path / "train.de-en.de.bin").touch()
    assert data_utils.infer_language_pair(str(tmp_path)) == ["de", "en"]
