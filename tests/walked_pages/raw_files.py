"""Small files of the official formats, in the place of what the pages' users download."""

import bz2
import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

from convert.hugging_face_folders import PIECES, write_tokenizer
from question_files import hotpotqa, squad

WORDS = ["the", "a", "old", "house", "dog", "sees", "two", "men", "and", "goes", "to", "street"]
PEOPLE, PLACES = ["Mary", "John", "Sandra"], ["garden", "kitchen", "office"]


def sentences(count: int, seed: int = 1) -> list[str]:
    """Sentences of a few words each."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(4, 9))) for _ in range(count)]


def lines(count: int, seed: int = 1) -> bytes:
    """The same as a text."""
    return "".join(f"{sentence} .\n" for sentence in sentences(count, seed)).encode()


def enwiki() -> bytes:
    """Articles as MediaWiki exports them."""
    pages = [
        "  <page>\n    <title>Page</title>\n    <text>" + lines(100, seed).decode() + "</text>\n"
        "  </page>\n"
        for seed in range(24)
    ]
    return bz2.compress(f"<mediawiki>\n{''.join(pages)}</mediawiki>\n".encode())


# By the end of an address.
SERVED: dict[str, Callable[[], bytes]] = {
    "input.txt": lambda: 30 * b"ROMEO:\nBut soft, the house\n" + lines(1500),
    ".de.gz": lambda: gzip.compress(lines(60, seed=2)),
    ".en.gz": lambda: gzip.compress(lines(60, seed=3)),
    ".bz2": enwiki,
    "-v1.1.json": lambda: json.dumps(squad()).encode(),
}


def serve(words: list[str]) -> tuple[int, str, str]:
    """What ``curl --output FILE ADDRESS`` would do."""
    address, file = words[-1], Path(words[words.index("--output") + 1])
    for ending, content in SERVED.items():
        if address.endswith(ending):
            file.write_bytes(content())
            return 0, "", ""
    return 22, "", f"curl: nothing is served for {address}\n"


def wikitext(count: int) -> bytes:
    """Articles of so many lines in all."""
    text = [f" {sentence} . \n" for sentence in sentences(count, seed=4)]
    for place in range(0, count - 3, 40):
        text[place : place + 3] = [" \n", f" = Article {place} = \n", " \n"]
    return "".join(text).encode()


def table(count: int, label: Callable[[int], str], columns: int) -> bytes:
    """Rows with a label behind ``columns`` sentences."""
    found = sentences(columns * count, seed=5)
    rows = zip(*(found[start::columns] for start in range(columns)))
    return "".join("\t".join([*row, label(n)]) + "\n" for n, row in enumerate(rows)).encode()


def sst2(count: int) -> bytes:
    """Film reviews."""
    return table(count, lambda number: str(number % 2), 1)


def rte(count: int, labels: bool = True) -> bytes:
    """Pairs of sentences, with a number in front and a header."""
    label = ("entailment", "not_entailment")
    rows = table(count, lambda number: label[number % 2] if labels else "", 2).decode().splitlines()
    names = ["index", "sentence1", "sentence2", *(["label"] if labels else [])]
    text = ["\t".join(names), *(f"{n}\t{row.rstrip(chr(9))}" for n, row in enumerate(rows))]
    return ("\n".join(text) + "\n").encode()


def babi(stories: int) -> bytes:
    """Stories of qa1: ten sentences and five questions each."""
    draw, told = random.Random(1), []
    for _ in range(stories):
        where: dict[str, tuple[str, int]] = {}
        for number in range(1, 16):
            if number % 3:
                person, place = draw.choice(PEOPLE), draw.choice(PLACES)
                where[person] = place, number
                told.append(f"{number} {person} went to the {place}.\n")
            else:
                person = draw.choice([*where])
                told.append(f"{number} Where is {person}? \t{where[person][0]}\t1\n")
    return "".join(told).encode()


def write_all(folder: Path) -> None:
    """Whatever a page tells its user to fetch by hand, where the page says."""
    babi_file = "tasks_1-20_v1-2/en-10k/qa1_single-supporting-fact_"
    files = {
        "data-bin/raw/wikitext2/wiki.valid.raw": wikitext(3760),
        "data-bin/raw/wikitext2/wiki.test.raw": wikitext(4358),
        "data-bin/raw/sst2/train.tsv": sst2(60),
        "data-bin/raw/sst2/dev.tsv": sst2(20),
        "data-bin/raw/sst2/test.tsv": sst2(20),
        "data-bin/raw/rte/train.tsv": rte(60),
        "data-bin/raw/rte/dev.tsv": rte(20),
        "data-bin/raw/rte/test.tsv": rte(20, labels=False),
        f"{babi_file}train.txt": babi(60),
        f"{babi_file}test.txt": babi(10),
        "distractor-sample.json": json.dumps(hotpotqa()).encode(),
        "pg19/validation/1.txt": lines(3000),
        "pg19/validation/2.txt": lines(3000, seed=2),
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def hugging_face(folder: Path) -> None:
    """Small models in the places of ``gpt2`` and ``roberta-base``."""
    from transformers import GPT2Config, GPT2LMHeadModel, RobertaConfig, RobertaForMaskedLM

    size = {"bos_token_id": 0, "eos_token_id": 0}
    words = {"<|endoftext|>": 0, **{piece: n for n, piece in enumerate(PIECES, start=1)}}
    config = GPT2Config(
        vocab_size=len(words), n_positions=1024, n_embd=16, n_layer=2, n_head=2, **size
    )
    GPT2LMHeadModel(config).save_pretrained(folder / "gpt2")
    write_tokenizer(folder / "gpt2", words)
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    words = {piece: n for n, piece in enumerate([*special, *PIECES, "<mask>"])}
    roberta = RobertaConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=66, type_vocab_size=1, pad_token_id=1,
    )  # fmt: skip
    RobertaForMaskedLM(roberta).save_pretrained(folder / "roberta-base")
    write_tokenizer(folder / "roberta-base", words)
