"""Data for the GPU check: made on the spot, from a seed, in fairseq's binary form."""

import json
import random
import sys
from pathlib import Path

from fairseq.data import Dictionary, indexed_dataset

from fairseq_memtx.data.facts.vocabulary import dictionary_of

SIZES = {"train": 1500, "valid": 24, "test": 12}
COLOURS = ["red", "green", "blue"]
WORDS = [f"w{number}" for number in range(200)]


def main() -> None:
    """Make all folders in the one that the command line names."""
    folder = Path(sys.argv[1])
    numbers = random.Random(1)
    _translation(folder / "translation", numbers)
    _text(folder / "text", numbers)
    _sentences(folder / "sentences", numbers)
    _questions(folder / "questions", numbers)


def _translation(folder: Path, numbers: random.Random) -> None:
    """Sentences, and the same reversed."""
    dictionary = _dictionary(WORDS[:40], folder / "dict.src.txt", folder / "dict.tgt.txt")
    for split, count in SIZES.items():
        lines = [numbers.choices(WORDS[:40], k=numbers.randint(3, 9)) for _ in range(count)]
        _binarise(folder / f"{split}.src-tgt.src", lines, dictionary)
        _binarise(folder / f"{split}.src-tgt.tgt", [line[::-1] for line in lines], dictionary)


def _text(folder: Path, numbers: random.Random) -> None:
    """Documents in which a word is followed by one of three, with an empty line between them."""
    dictionary = _dictionary(WORDS, folder / "dict.txt")
    following = {word: numbers.choices(WORDS, k=3) for word in WORDS}
    for split, count in SIZES.items():
        lines = []
        for number in range(4 * count):
            sentence = [numbers.choice(WORDS)]
            while len(sentence) < 15:
                sentence.append(numbers.choice(following[sentence[-1]]))
            lines += [sentence, []] if number % 12 == 11 else [sentence]
        _binarise(folder / split, lines, dictionary)


def _sentences(folder: Path, numbers: random.Random) -> None:
    """Which of two words a sentence has."""
    words = _dictionary([*WORDS, "no", "yes"], folder / "input0/dict.txt")
    classes = _dictionary(["no", "yes"], folder / "label/dict.txt")
    for split, count in SIZES.items():
        labels = [numbers.choice(["no", "yes"]) for _ in range(count)]
        sentences = [numbers.choices(WORDS, k=numbers.randint(16, 28)) for _ in labels]
        for sentence, label in zip(sentences, labels):
            sentence[numbers.randrange(8)] = label
        _binarise(folder / "input0" / split, sentences, words)
        _binarise(folder / "label" / split, [[label] for label in labels], classes)


def _questions(folder: Path, numbers: random.Random) -> None:
    """Which colour a text has."""
    _dictionary([*WORDS, *COLOURS, "Which", "colour", "?"], folder / "dict.txt")
    for split, count in SIZES.items():
        paragraphs = []
        for number in range(count):
            words = numbers.choices(WORDS, k=numbers.randint(20, 40))
            place, answer = numbers.randrange(len(words)), numbers.choice(COLOURS)
            words[place] = answer
            start = sum(len(word) + 1 for word in words[:place])
            answers = [{"text": answer, "answer_start": start}]
            asked = {"id": f"q{number}", "question": "Which colour ?", "answers": answers}
            paragraphs.append({"context": " ".join(words), "qas": [asked]})
        content = json.dumps({"data": [{"paragraphs": paragraphs}]})
        (folder / f"{split}.json").write_text(content, encoding="utf-8")


def _dictionary(words: list[str], *paths: Path) -> Dictionary:
    """A dictionary, and where it is saved."""
    dictionary = dictionary_of(words)
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        dictionary.save(str(path))
    return dictionary


def _binarise(path: Path, lines: list[list[str]], dictionary: Dictionary) -> None:
    """``path.bin`` and ``path.idx`` of these lines."""
    builder = indexed_dataset.make_builder(f"{path}.bin", "mmap", len(dictionary))
    for line in lines:
        builder.add_item(dictionary.encode_line(" ".join(line), add_if_not_exist=False))
    builder.finalize(f"{path}.idx")
