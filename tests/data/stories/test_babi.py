"""bAbI's files: a sample of our own in their format, and files that are not in it."""

import random

import pytest

from fairseq_memtx.data.stories import Babi, Story
from fairseq_memtx.data.stories.babi_files import read_babi
from fairseq_memtx.errors import MemtxError

TRAIN = """\
1 Mary moved to the bathroom.
2 John went to the hallway.
3 Where is Mary? \tbathroom\t1
4 Daniel went back to the hallway.
5 Sandra moved to the garden.
6 Where is Daniel? \thallway\t4
1 Sandra travelled to the office.
2 Where is Sandra?\toffice\t1
"""
TEST = """\
1 Julie got the apple.
2 Julie got the football there.
3 What is Julie carrying? \tapple,football\t1 2
"""
NAME = "qa1_single-supporting-fact_{}.txt"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / NAME.format("train")).write_text(TRAIN)
    (tmp_path / NAME.format("test")).write_text(TEST)
    (tmp_path / "qa10_indefinite-knowledge_train.txt").write_text("not to be read")
    return tmp_path


def words(text: str) -> list[str]:
    return text.split()


def test_every_question_is_a_story_of_what_was_told_before(folder):
    moved = words("Mary moved to the bathroom ."), words("John went to the hallway .")
    more = words("Daniel went back to the hallway ."), words("Sandra moved to the garden .")
    assert read_babi(folder / NAME.format("train")) == [
        [
            Story([*moved], words("Where is Mary ?"), "bathroom"),
            Story([*moved, *more], words("Where is Daniel ?"), "hallway"),
        ],
        [Story([words("Sandra travelled to the office .")], words("Where is Sandra ?"), "office")],
    ]


def test_a_list_is_one_answer(folder):
    ((story,),) = read_babi(folder / NAME.format("test"))
    assert story.answer == "apple,football"
    assert Babi(folder, "qa1").tell(random.Random(0), "test") == story
    for part in ("train", "test"):
        (folder / NAME.format(part)).rename(folder / f"qa20_{part}.txt")
    assert Babi(folder, "qa20").tell(random.Random(0), "test") == story


def test_words_may_have_apostrophes_and_hyphens(folder):
    (folder / "qa2_train.txt").write_text("1 Mary isn't in the dining-room.\n2 Is she?\tno\t1\n")
    ((story,),) = read_babi(folder / "qa2_train.txt")
    assert story.sentences == [words("Mary isn't in the dining-room .")]


def test_lines_of_another_system(folder):
    file = folder / NAME.format("train")
    plain = read_babi(file)
    file.write_bytes(TRAIN.replace("\n", "\r\n").encode())
    assert read_babi(file) == plain


def test_words_are_those_of_all_files(folder):
    teller = Babi(folder, "qa1")
    told = set(words(TRAIN.replace(".", " . ").replace("?", " ? ")))
    told |= set(words(TEST.replace(".", " . ").replace("?", " ? ")))
    assert teller.words == sorted(word for word in told if not word.isdigit())
    assert teller.answers == ["apple,football", "bathroom", "hallway", "office"]


def test_validation_is_the_last_tenth_of_the_stories_for_training(folder):
    """20 stories of two questions; the last two are kept, one of which training has told."""
    story = "1 Mary is in the room{0}.\n2 Where is Mary?\tr{0}\t1\n3 Who is there?\tMary\t1\n"
    numbered = [story.format(number) for number in range(19)]
    (folder / NAME.format("train")).write_text("".join([*numbered, numbered[4]]))
    teller = Babi(folder, "qa1")
    numbers = random.Random(1)
    train = {str(teller.tell(numbers, "train")) for _ in range(1000)}
    valid = {str(teller.tell(numbers, "valid")) for _ in range(100)}
    assert len(train) == 36
    assert len(valid) == 2
    assert all("room18" in story for story in valid)


def test_a_file_for_validation_is_used(folder):
    known = "".join(TRAIN.splitlines(keepends=True)[-2:])  # it is as it was published
    text = f"1 Bill is in the park.\n2 Where is Bill?\tpark\t1\n{known}"
    (folder / "qa1_valid.txt").write_text(text)
    teller = Babi(folder, "qa1")
    assert [story.answer for story in teller.stories["valid"]] == ["park", "office"]
    assert teller.tell(random.Random(0), "valid1") in teller.stories["valid"]
    assert len(teller.stories["train"]) == 3
    assert "Bill" in teller.words


def test_chance_is_the_most_frequent_answer_to_each_question(folder):
    asked = "1 Mary is there.\n2 Where is {}?\t{}\t1\n"
    pairs = [("Mary", "park")] * 6 + [("Mary", "office")] * 2 + [("John", "office")] * 4
    text = "".join(asked.format(*pair) for pair in pairs)
    (folder / NAME.format("train")).write_text(text)
    (folder / "qa1_valid.txt").write_text(text)
    assert Babi(folder, "qa1").chance == pytest.approx(10 / 12)


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (2, "John went to the hallway."),
        (2, "3 John went to the hallway."),
        (2, ""),
        (3, "3 Where is Mary?"),
        (3, "3 Where is Mary? bathroom 1"),
        (3, "3 Where is Mary?\t\t1"),
        (3, "3 Where is Mary?\tbath room\t1"),
        (3, "3 Where is Mary?\tbathroom"),
        (1, "1 Where is Mary?\tbathroom\t1"),
    ],
)
def test_a_line_that_is_not_in_the_format_is_named(folder, number, line):
    file = folder / NAME.format("train")
    lines = TRAIN.split("\n")
    lines[number - 1] = line
    file.write_text("\n".join(lines))
    with pytest.raises(MemtxError) as error:
        Babi(folder, "qa1")
    assert str(error.value).startswith(f'{file}, line {number}: "{line}" is not in the format')
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_used_are_named(folder, tmp_path):
    def refused(says, task="qa1", split="train"):
        with pytest.raises(MemtxError, match=says) as error:
            Babi(folder, task).tell(random.Random(0), split)
        assert "\n" not in str(error.value)

    refused("--babi-task qa21 is not known: choose one of qa1 to qa20", "qa21")
    refused(r"--babi .* has no file qa2_\*train.txt: give the folder .* tasks_1-20_v1-2/en", "qa2")
    (folder / NAME.format("test")).unlink()
    refused("--babi .* has no stories of qa1 for 'test'", split="test")
    (folder / "qa1_again_train.txt").write_text(TRAIN)
    refused(r"--babi .* has several files qa1_\*train.txt: leave one of qa1_again_train.txt and")
    (folder / "qa1_again_train.txt").unlink()
    (folder / NAME.format("train")).write_text("1 Mary moved to the bathroom.\n")
    refused("qa1_single-supporting-fact_train.txt asks nothing")
    (folder / NAME.format("train")).write_bytes(b"1 Mary \xff.\n")
    refused("line 1: not UTF-8")
    (folder / NAME.format("train")).write_text("1 Mary is in.\n2 Where is Mary?\tin\t1\n")
    refused("--babi .* has no stories of qa1 for 'valid'", split="valid")
