"""Text as tokens and back, for every unit."""

import pytest

from fairseq_memtx.text.units import Bytes, Characters, Lines

TEXTS = [
    "",
    " ",
    "ROMEO:",
    "  two  spaces  ",
    "one\ntwo",
    "\n\nblank lines\n\n",
    "snake_case \\u005f \\nabla \\",
    "tab\tno-break\xa0wide\u3000line\u2028next\x85",
    "é 漢字 😀 e\u0301",
    "<pad> </s> <unk> <s>",
    "_ </s>x",
    "12 34 </s>x",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("unit", [Characters(), Characters(True), Bytes(), Bytes(True)])
def test_nothing_is_lost(unit, text):
    """Also what is spelled like a token: it is text."""
    tokens = unit.encode(text).split()
    assert unit.decode(" ".join(tokens)) == text
    length = len(text.encode()) if isinstance(unit, Bytes) else len(text)
    assert len(tokens) == length


def test_what_characters_are():
    assert Characters().encode("a b_\\\t\n€") == "a _ b \\u005f \\u005c \\u0009 </s> €"
    assert Characters().encode("one\r\ntwo") == Characters().encode("one\ntwo")


def test_what_bytes_are():
    assert Bytes().encode("a €\nb") == "97 32 226 130 172 </s> 98"


def test_bytes_that_are_no_whole_character_are_shown():
    assert Bytes().decode("97 226 130") == "a\ufffd"
    assert Bytes().decode("226 130 </s> 130 97 <unk>") == "\ufffd\n\ufffda<unk>"


@pytest.mark.parametrize(
    ("unit", "cut", "plain"),
    [
        (Characters, "T h e _ r e d", "x = 1 + 2"),
        (Characters, "a </s> b", "R O M E O"),
        (Characters, "a \\u005f _ <unk>", "a_b _"),
        (Bytes, "84 104 </s> 101", "84 104 101"),
        (Bytes, "</s> <unk> 0 255", "</s> 256"),
        (Bytes, "7 </s>", "07 </s>"),
    ],
)
def test_what_is_cut_already(unit, cut, plain):
    """A token for white space that stands alone, among nothing but tokens, tells."""
    assert unit(accept_cut=True).encode(cut) == cut
    assert unit(accept_cut=True).encode(plain) == unit().encode(plain) != plain
    assert unit().encode(cut) != cut, "asked for by name, the unit takes plain text alone"


def test_words_keep_lines_apart():
    assert Lines().encode(" The  end\n\nof it \r\n") == "The end </s>  </s> of it </s> "
    assert Lines().decode("The end </s> </s> of it </s>") == "The end\n\nof it\n"
    assert Lines().decode("a </s>b c") == "a </s>b c"


def test_an_encoder_of_lines_keeps_them_apart():
    class Halves:
        def encode(self, line: str) -> str:
            return " ".join(f"{w[:2]}@@ {w[2:]}" if len(w) > 2 else w for w in line.split())

        def decode(self, tokens: str) -> str:
            return tokens.replace("@@ ", "")

    pieces = Lines(Halves())
    assert pieces.encode("an apple\ntree") == "an ap@@ ple </s> tr@@ ee"
    assert pieces.decode("an ap@@ ple </s> tr@@ ee") == "an apple\ntree"
