"""Documents about a cast, whose sentences depend on what was said at the beginning.

    python scripts/claims/cast_documents.py FOLDER [--documents N] [--people N] [--sentences N]

A document is a line: first who each person is, a woman or a man, from which city, with what
animal; then sentences that can be neither foretold nor translated without it ("Kim geht heim ." is
"Kim goes home to Rome ."). Names say nothing, and each document has a cast of its own.

FOLDER gets {train,val,test}.{de,en}; and tables of English documents with the answer to a question,
{train,val}.alike.tsv (are the first two both women, or both men?) and {train,val}.first.tsv (is the
last sentence about whom was told first?).
"""

import argparse
import random
from pathlib import Path
from typing import NamedTuple

from fairseq_memtx.prepare.number_corpus import write_corpus

# In both languages, animals in the accusative.
NAMES = ["Alex", "Charlie", "Eike", "Jona", "Kim", "Luca", "Mika", "Nikita", "Noa", "Robin", "Toni"]
CITIES = [("Athen", "Athens"), ("Bern", "Bern"), ("Genf", "Geneva"), ("Köln", "Cologne"),
          ("Oslo", "Oslo"), ("Prag", "Prague"), ("Rom", "Rome"), ("Wien", "Vienna")]  # fmt: skip
ANIMALS = [("Esel", "donkey"), ("Hund", "dog"), ("Kater", "cat"), ("Papagei", "parrot"),
           ("Hamster", "hamster"), ("Fisch", "fish"), ("Igel", "hedgehog"),
           ("Hasen", "hare")]  # fmt: skip


class Person(NamedTuple):
    """Somebody of a cast; city and animal in both languages."""

    name: str
    woman: bool
    city: tuple[str, str]
    animal: tuple[str, str]

    def introduced(self) -> tuple[str, str]:
        """What is said at the beginning, in both languages."""
        german, english = ("eine Frau", "a woman") if self.woman else ("ein Mann", "a man")
        return (
            f"{self.name} ist {german} aus {self.city[0]} und hat einen {self.animal[0]} .",
            f"{self.name} is {english} from {self.city[1]} and has a {self.animal[1]} .",
        )

    def acting(self, draw: random.Random) -> tuple[str, str]:
        """One of the things that everybody does."""
        whose = "her" if self.woman else "his"
        oneself = "herself" if self.woman else "himself"
        return draw.choice([
            (f"{self.name} geht heim .", f"{self.name} goes home to {self.city[1]} ."),
            (f"{self.name} sucht das Tier .", f"{self.name} looks for {whose} {self.animal[1]} ."),
            (f"{self.name} bleibt allein .", f"{self.name} stays in {self.city[1]} by {oneself} ."),
        ])  # fmt: skip


class Document(NamedTuple):
    """A document in both languages, and the answers to both questions."""

    german: str
    english: str
    alike: bool
    first: bool


def document(draw: random.Random, people: int, sentences: int) -> Document:
    """Draw a cast and what it does."""
    cast = [
        Person(name, draw.random() < 0.5, draw.choice(CITIES), draw.choice(ANIMALS))
        for name in draw.sample(NAMES, people)
    ]
    told = [person.introduced() for person in cast]
    for _ in range(sentences):
        last = draw.choice(cast)
        told.append(last.acting(draw))
    german, english = map(" ".join, zip(*told))
    return Document(german, english, cast[0].woman == cast[1].woman, last == cast[0])


def main() -> None:
    """Draw the documents of all sets, none of them twice, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=2500, help="of train")
    parser.add_argument("--held-out", type=int, default=100, help="of val and of test")
    parser.add_argument("--people", type=int, default=2, help="two or more")
    parser.add_argument("--sentences", type=int, default=10, help="after the cast is told")
    options = parser.parse_args()
    draw, drawn, held = random.Random(1), {}, options.held_out
    while len(drawn) < options.documents + 2 * held:
        new = document(draw, options.people, options.sentences)
        drawn[new.english] = new
    rows = list(drawn.values())
    sets = {"test": rows[:held], "val": rows[held : 2 * held], "train": rows[2 * held :]}
    write_corpus({name: [row[:2] for row in of] for name, of in sets.items()}, options.folder)
    for name in ("train", "val"):
        for question in ("alike", "first"):
            answers = [f"{row.english}\t{int(getattr(row, question))}\n" for row in sets[name]]
            (options.folder / f"{name}.{question}.tsv").write_text(
                "".join(answers), encoding="utf-8"
            )


if __name__ == "__main__":
    main()
