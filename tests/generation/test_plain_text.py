"""Tokens as text while they come."""

import json
import random
from argparse import Namespace
from pathlib import Path

import pytest

from fairseq_memtx.generation.plain_text import as_text, text_cutter
from fairseq_memtx.text.folder import FolderText
from fairseq_memtx.text.units import NEWLINE, Bytes, Characters, Lines

TEXT = "The  sea_\\ €\n\n漢字 and 😀 old\tman\nit 's </s>\\ 漢 字"
CUTTERS = {"characters": Characters(), "bytes": Bytes(), "words": Lines()}


@pytest.mark.parametrize("unit", CUTTERS)
def test_bits_are_the_whole_text(unit):
    """Wherever the text before them ends."""
    cutter = CUTTERS[unit]
    tokens = cutter.encode(TEXT).split()
    for cut in range(len(tokens) + 1):
        before, after = tokens[:cut], tokens[cut:]
        bits = list(as_text(cutter.decode, before, iter(after)))
        if not (unit == "bytes" and cutter.decode(" ".join(before)).endswith("\ufffd")):
            start = cutter.decode(" ".join(before)) if before else ""
            assert start + "".join(bits) == cutter.decode(" ".join(tokens))
        assert all("\ufffd" not in bit for bit in bits)


def test_any_bytes_come_out():
    draw = random.Random(1)
    for _ in range(200):
        tokens = [draw.choice([*map(str, range(120, 256)), NEWLINE]) for _ in range(12)]
        assert "".join(as_text(Bytes().decode, [], tokens)) == Bytes().decode(" ".join(tokens))


@pytest.mark.parametrize(
    ("unit", "tokens", "bits"),
    [
        ("characters", "a _ b </s> c", ["a", " ", "b", "\n", "c"]),
        ("words", "the sea </s> </s> a", ["the", " sea", "\n", "\n", "a"]),
        ("bytes", "97 226 130 172 98", ["a", None, None, "€", "b"]),
    ],
)
def test_a_bit_comes_with_its_token(unit, tokens, bits):
    shown, seen = [], []

    def coming():
        for token in tokens.split():
            yield token
            seen.append("".join(shown))

    for bit in as_text(CUTTERS[unit].decode, [], coming()):
        shown.append(bit)
    assert seen == ["".join(filter(None, bits[:n])) for n in range(1, len(bits) + 1)]


def test_a_folder_tells_how_text_is_cut(tmp_path):
    def cutter(settings=None, unit=None):
        return text_cutter(tmp_path, settings, unit)

    assert cutter().encode("a  b") == "a b"
    assert cutter(unit="characters").encode("a b") == "a _ b"
    assert cutter(Namespace(_name="bytes")).encode("a b") == "97 32 98", "the training's --bpe"
    write_record(tmp_path, unit="words", lowercase=True)
    assert cutter().encode("The Sea\nA") == "the sea </s> a"
    assert cutter(unit="bytes").encode("a") == "97"
    write_record(tmp_path, unit="characters")
    assert cutter().encode("a _ b") == r"a _ \u005f _ b", "plain text, though it looks cut"


def write_record(folder: Path, **fields) -> None:
    """What ``fairseq-memtx prepare`` writes into a folder, as far as text is concerned."""
    entry = FolderText(folder, **fields).entry()
    (folder / "prepared.json").write_text(json.dumps({"text": entry}))
