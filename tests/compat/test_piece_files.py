"""Files of pieces that do not fit, or cannot be read, are told in one line."""

import json
from argparse import Namespace
from pathlib import Path

import pytest
from fairseq.data import encoders

from fairseq_memtx import compat
from fairseq_memtx.errors import MemtxError

compat.mend_fairseq()

PIECES = [*map(chr, range(33, 127)), "Ġ", "ca", "cat"]
MERGES = "#version: 0.2\nc a\nca t\n"


def gpt2(folder: Path, pieces: object = None, merges: bytes | str = MERGES):
    encoder = {piece: n for n, piece in enumerate(PIECES)} if pieces is None else pieces
    content = encoder if isinstance(encoder, str) else json.dumps(encoder)
    (folder / "encoder.json").write_text(content)
    (folder / "vocab.bpe").write_bytes(merges.encode() if isinstance(merges, str) else merges)
    names = {"gpt2_encoder_json": "encoder.json", "gpt2_vocab_bpe": "vocab.bpe"}
    paths = {flag: str(folder / name) for flag, name in names.items()}
    return encoders.build_bpe(Namespace(bpe="gpt2", **paths))


def test_files_that_fit(tmp_path):
    bpe = gpt2(tmp_path)
    assert bpe.encode("cat") == "96"
    assert bpe.decode("96 <unk>").startswith("cat")


@pytest.mark.parametrize(
    ("pieces", "merges", "says"),
    [
        (None, "#version: 0.2\nc a\nca d\n", "the pair 'ca d' makes a piece"),
        (None, "#version: 0.2\nc a\nca t d\n", "'ca t d' is no pair"),
        (None, "#version: 0.2\nc a\nca t", "cut off in its last line"),
        (None, b"#version: 0.2\nc \xff\n", "can't decode"),
        ({"a": "1"}, MERGES, "'a' has no number"),
        ({"a": True}, MERGES, "'a' has no number"),
        ({"a": 1, "b": 1}, "#version: 0.2\n", "two pieces have one number"),
        ([1, 2], MERGES, "damaged file"),
        ("[" * 100_000, MERGES, "recursion"),
        ('{"a": 1', MERGES, "damaged file"),
    ],
)
def test_files_that_do_not_fit(tmp_path, pieces, merges, says):
    with pytest.raises(MemtxError, match=says) as error:
        gpt2(tmp_path, pieces, merges)
    assert "encoder.json or" in str(error.value)
    assert "\n" not in str(error.value)


def test_what_the_files_do_not_know(tmp_path):
    """Neither letters of a text nor words of another model's dictionary."""
    bpe = gpt2(tmp_path)
    with pytest.raises(MemtxError, match="no piece for"):
        bpe.encode("é")
    for word in ("9999", "cat", "madeupword0000"):
        with pytest.raises(MemtxError, match=f"no piece '{word}'"):
            bpe.decode(f"96 {word}")


@pytest.mark.parametrize(
    "codes",
    [b"", b"\n", b"a b c\n", b"#version: 9\na b\n", b"#version: x\na b\n", b"a \xff\n", None],
    ids=["empty", "blank", "three", "version", "no version", "not UTF-8", "missing"],
)
def test_codes_of_subword_nmt(tmp_path, capfd, codes):
    path = tmp_path / "bpecodes"
    if codes is not None:
        path.write_bytes(codes)
    flags = Namespace(bpe="subword_nmt", bpe_codes=str(path), bpe_separator="@@")
    with pytest.raises(MemtxError, match="--bpe cannot be used: "):
        encoders.build_bpe(flags)
    assert not capfd.readouterr().err
