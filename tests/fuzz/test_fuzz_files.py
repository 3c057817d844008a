"""Questions, dictionaries, binarised text and files of pieces, as they may come from outside."""

import json
from argparse import Namespace
from pathlib import Path

import mutations
import pytest
from fairseq import tasks
from fairseq.data import Dictionary, encoders
from referee import write
from tiny_models import LINES, MODELS, configuration, whole_sets

from fairseq_memtx.data import data_folder
from fairseq_memtx.data.questions.dataset import QuestionDataset
from fairseq_memtx.data.questions.windows import TextEncoder, cut
from fairseq_memtx.text.questions.reading import read_questions

pytestmark = pytest.mark.fuzz

SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "T",
            "paragraphs": [
                {
                    "context": "w1 w2 the w3, w4 in w5.",
                    "qas": [
                        {"id": "a", "question": "w1 ?", "is_impossible": False,
                         "answers": [{"text": "w3", "answer_start": 10}]},
                        {"id": "b", "question": "w2 ?", "is_impossible": True, "answers": []},
                    ],
                }
            ],
        }
    ],
}  # fmt: skip
HOTPOTQA = [
    {"_id": "a", "question": "w1 ?", "answer": "w3", "supporting_facts": [["T", 0]],
     "context": [["T", ["w1 w2 w3.", " w4"]], ["U", ["w5 w6."]]]},
    {"_id": "b", "question": "w2 ?", "answer": "yes", "supporting_facts": [["U", 0]],
     "context": [["T", ["w1 w2 w3."]], ["U", ["w5 w6."]]]},
]  # fmt: skip
QUESTIONS = {
    "squad.json": json.dumps(SQUAD).encode(),
    "hotpotqa.json": json.dumps(HOTPOTQA).encode(),
}


def toy_dictionary() -> Dictionary:
    """Of twenty words."""
    dictionary = Dictionary()
    for number in range(20):
        dictionary.add_symbol(f"w{number}")
    return dictionary


def test_questions(fuzz):
    def case(folder: Path, files: dict[str, bytes]) -> None:
        write(folder, files)
        for name in QUESTIONS:
            dictionary = toy_dictionary()
            questions = list(cut(read_questions(folder / name), TextEncoder(dictionary), 24, 8))
            rows = QuestionDataset(questions, dictionary, whole=True)
            batch = rows.collater([rows[index] for index in range(len(rows))])
            assert batch["net_input"]["src_tokens"].max() < len(dictionary)
            assert json.dumps([q.question.name for q in questions]).encode("utf-8")

    fuzz("questions", mutations.broken(QUESTIONS), case)


def test_dictionaries(fuzz):
    def case(folder: Path, files: dict[str, bytes]) -> None:
        write(folder, files)
        dictionary = Dictionary.load(str(folder / "dict.txt"))
        assert len(dictionary) > dictionary.nspecial
        assert all(symbol[:1] != "\ufeff" for symbol in dictionary.symbols)
        assert len(dictionary.symbols) == len(dictionary.count)
        assert min(dictionary.count) >= 0
        dictionary.encode_line("w1 w2 w99", add_if_not_exist=False)
        dictionary.save(str(folder / "again.txt"))
        assert Dictionary.load(str(folder / "again.txt")) == dictionary

    fuzz("dictionaries", mutations.broken({"dict.txt": LINES}), case)


@pytest.mark.parametrize("impl", ["mmap", "cached"])
@pytest.mark.parametrize("kind", MODELS)
def test_binarised_text(fuzz, kind, impl):
    cfg = configuration(kind)
    whole = whole_sets()[f"{'one text' if kind == 'masked' else kind} {impl}"]

    def case(folder: Path, files: dict[str, bytes]) -> None:
        write(folder, files)
        cfg.task.data = str(folder)
        task = tasks.setup_task(cfg.task)
        data_folder.check(task)
        task.load_dataset("train", combine=True)
        batches = task.get_batch_iterator(
            task.dataset("train"), max_sentences=2, max_positions=task.max_positions(), epoch=1
        ).next_epoch_itr(shuffle=False)
        for batch in batches:
            tokens = batch["net_input"]["src_tokens"]
            assert tokens.min() >= 0
            assert tokens.max() < len(task.source_dictionary)
            target = batch["target"]
            most = 3 if kind == "labels" else len(task.target_dictionary or task.source_dictionary)
            assert target.min() >= 0
            assert target.max() < most

    fuzz(f"binarised text, {kind}, {impl}", mutations.broken(whole), case)


PIECES = [*map(chr, range(33, 127)), "Ġ", "ca", "cat", "Ġcat"]
GPT2 = {
    "encoder.json": json.dumps({piece: number for number, piece in enumerate(PIECES)}).encode(),
    "vocab.bpe": "#version: 0.2\nc a\nca t\nĠ cat\n".encode(),
}


def test_pieces_of_gpt2(fuzz):
    def case(folder: Path, files: dict[str, bytes]) -> None:
        write(folder, files)
        names = [str(folder / name) for name in GPT2]
        bpe = encoders.build_bpe(
            Namespace(bpe="gpt2", gpt2_encoder_json=names[0], gpt2_vocab_bpe=names[1])
        )
        assert bpe.decode(bpe.encode("cat cat, dog")) == "cat cat, dog"

    fuzz("pieces of GPT-2", mutations.broken(GPT2), case)


CODES = b"#version: 0.2\nc a\nca t</w>\nd o\ndo g</w>\n"


def test_pieces_of_subword_nmt(fuzz):
    def case(folder: Path, files: dict[str, bytes]) -> None:
        write(folder, files)
        codes = str(folder / "bpecodes")
        bpe = encoders.build_bpe(Namespace(bpe="subword_nmt", bpe_codes=codes, bpe_separator="@@"))
        assert bpe.decode(bpe.encode("cat cats , dog")) == "cat cats , dog"

    fuzz("pieces of subword-nmt", mutations.broken({"bpecodes": CODES}), case)
