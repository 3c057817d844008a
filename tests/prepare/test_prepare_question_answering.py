"""``fairseq-memtx prepare question-answering``: from files of SQuAD and HotpotQA to a folder.

Where a test is about something else, fairseq's own program, slow to start, is replaced by one that
counts and keeps what it was given.
"""

import json
import re
from pathlib import Path

import pytest
from conftest import memtx
from fairseq.data import Dictionary
from fairseq.data.encoders.gpt2_bpe_utils import bytes_to_unicode
from question_files import TEXTS, hotpotqa, squad, write
from stand_ins import COUNT, preprocess
from test_prepare_classification import pretrained

from fairseq_memtx.data.questions.windows import TextEncoder
from fairseq_memtx.text.folder import FolderText
from fairseq_memtx.text.questions.reading import read_questions

# Also a dictionary, of whatever was given.
DICTIONARY = """
words = open("train.tokens", encoding="utf-8").read().split()
if "--srcdict" not in sys.argv:
    lines = [f"{word} {words.count(word)}\\n" for word in dict.fromkeys(words)]
    open("../dict.txt", "w", encoding="utf-8").writelines(lines)
"""


@pytest.fixture
def quick(tmp_path, monkeypatch) -> None:
    """Replace fairseq's program."""
    monkeypatch.setenv("PYTHONPATH", preprocess(tmp_path, COUNT + DICTIONARY))


def prepare(folder: Path, content, *flags: object) -> int:
    """Run the command on one file; its exit code."""
    train = write(folder / "raw/train.json", content)
    return memtx(
        "prepare", "question-answering", "--train", train, "--dest", folder / "made", *flags
    )


def lines(folder: Path, name: str) -> list[str]:
    """What fairseq was given of a split."""
    return (folder / f"made/seen/{name}.tokens").read_text(encoding="utf-8").split("\n")


def names(file: Path) -> set[str]:
    return {question.name for question in read_questions(file)}


def test_contexts_and_questions_are_cut_as_a_model_reads_them(quick, tmp_path):
    """Once each, punctuation apart from words; pieces are those of ``extractive_qa``."""
    valid = write(tmp_path / "raw/dev.json", squad())
    flags = ["--valid", valid, "--bpe-size", 90, "--lowercase"]
    assert prepare(tmp_path, squad(), *flags) == 0
    words = [line.replace("@@ ", "") for line in lines(tmp_path, "train")]
    assert words[:4] == [
        "the lighthouse of kap arkona , built in 1827 , is 19 . 3 m high .",
        "when was the lighthouse built ?",
        "how high is it ?",
        "",
    ]
    assert "it doesn 't carry trains ." in words[7]
    assert sum(not line for line in words) == 4, "between four documents, and behind the last"
    made = tmp_path / "made"
    dictionary = Dictionary.load(str(made / "dict.txt"))
    encode = TextEncoder(dictionary, record=FolderText.read(made))
    pieces = [dictionary[piece] for piece in encode(TEXTS["Lighthouses"][0][0]).pieces]
    assert " ".join(pieces) == lines(tmp_path, "train")[0]
    assert "@@" in lines(tmp_path, "train")[0]
    assert (made / "valid.json").read_bytes() == valid.read_bytes()
    assert not list(made.rglob("work"))


@pytest.mark.parametrize(("version", "held"), [("1.1", 0), ("2.0", 1)])
def test_articles_are_held_out_whole(version, held, quick, tmp_path, capsys):
    """The same ones on every machine."""
    content = squad(version)
    test = write(tmp_path / "raw/test.json", content)
    assert prepare(tmp_path, content, "--held-out", 1, "--test", test, "--bpe-size", 90) == 0
    parts = {
        name: json.loads((tmp_path / f"made/{name}.json").read_text())
        for name in ("train", "valid")
    }
    articles = content.pop("data")
    assert parts["valid"] == {**content, "data": [articles.pop(held)]}
    assert parts["train"] == {**content, "data": articles}
    seen = {name: "\n".join(lines(tmp_path, name)).replace("@@ ", "") for name in parts}
    word = ("Arkona", "Elbe")[held]
    assert (word in seen["train"], word in seen["valid"]) == (False, True)
    told = capsys.readouterr().out.splitlines()[:3]
    lost = [re.findall(r"(\d+) of them without the answer in the context", line) for line in told]
    assert lost == [["0"]] * 3, "a question without an answer has lost none"
    told = [line.split(",")[0] for line in told]
    counts = {"1.1": (3, 3, 6), "2.0": (6, 3, 9)}[version]
    assert told == [f"{n}: {c} questions" for n, c in zip(("train", "valid", "test"), counts)]


def test_a_token_that_is_lost_on_the_way_is_seen(tmp_path, monkeypatch, capsys):
    counts_one_less = COUNT.replace("+ 1 for line", "+ 1 - (line == lines[0]) for line")
    monkeypatch.setenv("PYTHONPATH", preprocess(tmp_path, counts_one_less + DICTIONARY))
    assert prepare(tmp_path, hotpotqa(), "--held-out", 1, "--bpe-size", 60) == 1
    assert "fairseq-preprocess counts {'train': " in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


def test_questions_of_hotpotqa_are_held_out(quick, tmp_path, capsys):
    content = hotpotqa()
    content[0]["answer"] = "1999"  # as in the official file, where some are in no paragraph
    assert prepare(tmp_path, content, "--held-out", 1, "--bpe-size", 60) == 0
    parts = [json.loads((tmp_path / f"made/{n}.json").read_text()) for n in ("train", "valid")]
    assert parts == [content[1:], content[:1]]
    assert "valid: 1 questions, 1 of them without the answer" in capsys.readouterr().out
    # Two questions about one document: a paragraph a line, the verdicts in front.
    text = [line.replace("@@ ", "") for line in lines(tmp_path, "train")]
    assert text[0] == "yes no"
    assert text[1:3] == [
        "Kap Arkona Kap Arkona is a cape . Its lighthouse is from 1827 .",
        "Ada Brandt Ada Brandt kept the lighthouse .",
    ]
    assert len(text) == 6


@pytest.mark.parametrize("kind", ["words", "pieces", "bytes"])
def test_tokens_of_a_pretrained_model(kind, quick, tmp_path):
    model = pretrained(tmp_path / "model", kind)
    valid = write(tmp_path / "raw/dev.json", squad())
    assert prepare(tmp_path, squad(), "--valid", valid, "--pretrained", model) == 0
    made = tmp_path / "made"
    assert (made / "seen/dict.txt").read_bytes() == (model / "dict.txt").read_bytes()
    question = lines(tmp_path, "train")[2]
    if kind == "words":
        assert question == "how high is it ?"
    elif kind == "pieces":  # no word is known
        assert question == "h@@ o@@ w h@@ i@@ g@@ h i@@ s i@@ t ?"
        assert (made / "bpecodes").read_bytes() == (model / "bpecodes").read_bytes()
    else:
        letters = {str(number): letter for number, letter in enumerate(bytes_to_unicode().values())}
        assert "".join(map(letters.get, question.split())) == "HowĠhighĠisĠit?"
        assert (made / "vocab.bpe").is_file()
    unit = {"bytes": "gpt2"}.get(kind, kind)
    assert FolderText.read(made).unit == unit


def test_words_of_a_model_whose_text_had_punctuation_at_them(quick, tmp_path):
    model = pretrained(tmp_path / "model", "words")
    entry = FolderText(model, "words", punctuation_apart=False).entry()
    (model / "prepared.json").write_text(json.dumps({"settings": {}, "text": entry}))
    assert prepare(tmp_path, squad(), "--held-out", 1, "--pretrained", model, "--lowercase") == 0
    assert "otto kern; it doesn't carry trains." in lines(tmp_path, "train")[0]


def test_a_second_start_does_nothing_and_another_folder_is_refused(quick, tmp_path, capsys):
    flags = ["--held-out", 1, "--bpe-size", 60]
    assert prepare(tmp_path, hotpotqa(), *flags) == 0
    before = (tmp_path / "made/prepared.json").stat().st_mtime_ns
    assert prepare(tmp_path, hotpotqa(), *flags) == 0
    assert (tmp_path / "made/prepared.json").stat().st_mtime_ns == before
    assert "is prepared already" in capsys.readouterr().out
    assert prepare(tmp_path, hotpotqa(), "--held-out", 2, "--bpe-size", 60) == 1
    assert "was not made from this input with these settings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--held-out", 3, "--bpe-size", 60], "--held-out 3 leaves none of the 3 questions in"),
        (["--valid", "gone.json", "--bpe-size", 60], "gone.json cannot be read (No such file"),
        (["--held-out", 1, "--pretrained", "gone"], "missing file: gone/dict.txt"),
        (
            ["--held-out", 1, "--bpe-size", 60, "--questions", 5],
            "raw/train.json has 3 questions, the official one has 5: it is cut off or another",
        ),
    ],
)
def test_refusals(flags, says, tmp_path, capsys):
    assert prepare(tmp_path, hotpotqa(), *flags) == 1
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--held-out", 0, "--bpe-size", 60], "argument --held-out: invalid positive value"),
        (["--held-out", 1], "one of the arguments --bpe-size --pretrained is required"),
        (["--bpe-size", 60], "one of the arguments --valid --held-out is required"),
    ],
)
def test_command_lines_that_cannot_be_read(flags, says, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        prepare(tmp_path, hotpotqa(), *flags)
    assert says in capsys.readouterr().err


def test_a_mistake_in_a_file_is_told_by_its_name(tmp_path, capsys):
    content = squad()
    del content["data"][1]["paragraphs"][0]["qas"][0]["question"]
    assert prepare(tmp_path, content, "--held-out", 1, "--bpe-size", 60) == 1
    assert "raw/train.json, 'data', article 2" in capsys.readouterr().err
