"""Data for the GPU check: made on the spot, from a seed, in fairseq's binary form."""

import json
import random
import sys
from pathlib import Path

from fairseq.data import Dictionary, indexed_dataset

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
    vocabulary = WORDS[:40]
    for language in ("src", "tgt"):
        _save_dictionary(folder / f"dict.{language}.txt", vocabulary)
    for split, count in SIZES.items():
        sentences = [numbers.choices(vocabulary, k=numbers.randint(3, 9)) for _ in range(count)]
        path = folder / f"{split}.src-tgt"
        _binarise(Path(f"{path}.src"), sentences, vocabulary)
        _binarise(Path(f"{path}.tgt"), [sentence[::-1] for sentence in sentences], vocabulary)


def _text(folder: Path, numbers: random.Random) -> None:
    """Documents in which a word is followed by one of three, with an empty line between them."""
    _save_dictionary(folder / "dict.txt", WORDS)
    following = {word: numbers.choices(WORDS, k=3) for word in WORDS}
    for split, count in SIZES.items():
        lines = []
        for number in range(4 * count):
            sentence = [numbers.choice(WORDS)]
            while len(sentence) < 15:
                sentence.append(numbers.choice(following[sentence[-1]]))
            lines += [sentence, []] if number % 12 == 11 else [sentence]
        _binarise(folder / split, lines, WORDS)


def _sentences(folder: Path, numbers: random.Random) -> None:
    """Which of two words a sentence has."""
    for split, count in SIZES.items():
        labels = [numbers.choice(["no", "yes"]) for _ in range(count)]
        sentences = [numbers.choices(WORDS, k=numbers.randint(16, 28)) for _ in labels]
        for sentence, label in zip(sentences, labels):
            sentence[numbers.randrange(8)] = label
        vocabulary = [*WORDS, "no", "yes"]
        _binarise(folder / "input0" / split, sentences, vocabulary)
        _binarise(folder / "label" / split, [[label] for label in labels], ["no", "yes"])
    _save_dictionary(folder / "input0" / "dict.txt", vocabulary)
    _save_dictionary(folder / "label" / "dict.txt", ["no", "yes"])


def _questions(folder: Path, numbers: random.Random) -> None:
    """Which colour a text has."""
    _save_dictionary(folder / "dict.txt", [*WORDS, *COLOURS, "Which", "colour", "?"])
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


def _dictionary(vocabulary: list[str]) -> Dictionary:
    dictionary = Dictionary()
    for word in vocabulary:
        dictionary.add_symbol(word)
    return dictionary


def _save_dictionary(path: Path, vocabulary: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _dictionary(vocabulary).save(str(path))


def _binarise(path: Path, lines: list[list[str]], vocabulary: list[str]) -> None:
    """``path.bin`` and ``path.idx`` of these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dictionary = _dictionary(vocabulary)
    builder = indexed_dataset.make_builder(f"{path}.bin", "mmap", len(dictionary))
    for line in lines:
        tokens = dictionary.encode_line(" ".join(line), add_if_not_exist=False)
        builder.add_item(tokens)
    builder.finalize(f"{path}.idx")
