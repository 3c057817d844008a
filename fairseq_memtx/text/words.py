"""What a word is: what stands between white space, or a character of a script that has none.

In Chinese, Japanese, Thai, Lao, Khmer, Burmese and Tibetan a line would be one word. There a
character, with the marks on it, is a word of its own, as in BERT. The same holds wherever words
count: in what a BPE is learnt from, in masking of whole words, in the borders of answers and in
their F1.
"""

import re
import unicodedata

# Blocks of such scripts, and of the punctuation between their characters. Korean has spaces.
_BLOCKS = [
    (0x0E01, 0x0E4E),  # Thai, without its digits
    (0x0E81, 0x0ECE),  # Lao
    (0x0F00, 0x0F14),  # Tibetan
    (0x0F34, 0x0FDA),
    (0x1000, 0x103F),  # Burmese
    (0x104A, 0x109F),
    (0x1780, 0x17DD),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AAD),  # Tai Tham
    (0x2E80, 0x2FFB),  # radicals of Han characters
    (0x3001, 0x30FF),  # punctuation, Hiragana, Katakana
    (0x3105, 0x312F),  # Bopomofo
    (0x31A0, 0x31FF),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xA000, 0xA4CF),  # Yi
    (0xA9E0, 0xA9FE),  # more Burmese
    (0xAA60, 0xAADF),
    (0xF900, 0xFAFF),
    (0xFF01, 0xFF0F),  # full-width punctuation
    (0xFF1A, 0xFF20),
    (0xFF3B, 0xFF40),
    (0xFF5B, 0xFF9F),
    (0x1B000, 0x1B16F),  # more Kana
    (0x20000, 0x3FFFF),
]
_MARKS = "".join(
    chr(code)
    for first, last in [*_BLOCKS, (0x0300, 0x036F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF)]
    if last - first < 0x1000  # larger blocks are Han characters, and have none
    for code in range(first, last + 1)
    if unicodedata.category(chr(code)).startswith("M")
)
_SPACELESS = "".join(f"{chr(first)}-{chr(last)}" for first, last in _BLOCKS)
# Patterns, for those who look for words in a text without cutting it.
CHARACTER = f"[{_SPACELESS}][{_MARKS}]*"
BETWEEN_SPACES = f"{CHARACTER}|[^\\s{_SPACELESS}]+"
# Words without punctuation, and each mark of it. Endings such as 's are words of their own, since
# GPT-2's pieces have them whole.
WORDS_AND_MARKS = rf"{CHARACTER}|(?:(?!{CHARACTER})\w)+|'(?:s|t|re|ve|m|ll|d)\b|[^\w\s]"
_CHARACTER = re.compile(f"({CHARACTER})")
_BETWEEN = re.compile(f"(?<=[{_SPACELESS}{_MARKS}]) (?=[{_SPACELESS}])")


def split_words(text: str) -> list[str]:
    """The words of a text."""
    if text.isascii():
        return text.split()  # ten times faster
    return _CHARACTER.sub(r" \1 ", text).split()


def join_words(text: str) -> str:
    """Words with spaces between them as text: characters of such a script stand close."""
    return _BETWEEN.sub("", text)
