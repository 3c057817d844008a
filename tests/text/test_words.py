"""What a word is, in scripts with spaces and without."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairseq_memtx.text.symbols import escape, unescape
from fairseq_memtx.text.words import CHARACTER, join_words, split_words

SPACELESS = {
    "Chinese": ("我爱你。", ["我", "爱", "你", "。"]),
    "Japanese": ("カナと漢字「が」", ["カ", "ナ", "と", "漢", "字", "「", "が", "」"]),
    "marks apart": ("か\u3099", ["か\u3099"]),  # the mark of a voiced sound stays at its letter
    "Thai": ("สวัสดี", ["ส", "วั", "ส", "ดี"]),
    "Khmer": ("ភាសា", ["ភា", "សា"]),
    "Burmese": ("မြန်မာ", ["မြ", "န်", "မာ"]),
    "rare": ("\U00020000字", ["\U00020000", "字"]),
}


@pytest.mark.parametrize("script", SPACELESS)
def test_a_character_of_a_script_without_spaces_is_a_word(script):
    text, words = SPACELESS[script]
    assert split_words(text) == words
    assert join_words(" ".join(words)) == text
    assert split_words(f"ab{text}cd") == ["ab", *words, "cd"]


@pytest.mark.parametrize(
    "text",
    [
        "well-known naïve",
        "한국어 문장",
        "ไทย".encode().hex(),
        "नमस्ते दुनिया",
        "שלום עולם",
        "a\u0301b 👍🏽 x²",
    ],
)
def test_other_scripts_have_spaces(text):
    assert split_words(text) == text.split()
    assert join_words(text) == text


@given(some.text())
def test_no_letter_is_lost(text):
    words = split_words(text)
    assert "".join(words) == "".join(text.split())
    assert split_words(" ".join(words)) == words  # what is cut is cut
    assert split_words(join_words(" ".join(words))) == words


LIKE_SYMBOLS = ["<s>", "</s>", "<pad>", "<unk>", "<mask>", "madeupword0000", "@@"]
ENDINGS = some.sampled_from([*LIKE_SYMBOLS, "", "\\", "#fairseq:overwrite"])
WORDS = some.tuples(some.text("ab<\\@", max_size=3), ENDINGS, some.text("\\", max_size=3)).map(
    "".join
)


@given(WORDS.filter(bool))
def test_no_word_is_taken_for_a_symbol_and_there_is_a_way_back(word):
    escaped = escape(word)
    assert unescape(escaped) == word
    assert not escaped.endswith(tuple(LIKE_SYMBOLS))
    # Nor is any last piece of it, however it is cut.
    assert {escaped[start:] for start in range(len(escaped))}.isdisjoint(LIKE_SYMBOLS)


def test_other_words_stay_as_they_are():
    for word in [
        "<p>",
        "pad",
        "<PAD>",
        "@-@",
        "@",
        "madeupword1",
        "\\",
        "a\\b",
        "#fairseq:overwrite",
    ]:
        assert escape(word) == word
    assert unescape("a <pad>\\ b@@\\\\ \\") == "a <pad> b@@\\ \\"


def test_a_pattern_finds_the_same_characters():
    import re

    assert re.findall(CHARACTER, "ab我カがสวั") == ["我", "カ", "が", "ส", "วั"]
