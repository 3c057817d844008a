"""``fairseq-memtx prepare classification`` and ``examples/long_documents/prepare-*.sh``.

Sentences become the tokens of the model that was pre-trained; a folder is whole or not there;
errors name the line. Where a test is about something else, fairseq's own program, slow to start, is
replaced by one that counts and keeps what it was given.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, memtx, succeed
from fairseq import options, tasks
from fairseq.data import Dictionary
from fairseq.data.encoders.gpt2_bpe_utils import bytes_to_unicode
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from stand_ins import COUNT as COUNT_ALONE
from stand_ins import preprocess

# An empty dictionary too, where none is given.
COUNT = f"""{COUNT_ALONE}
if "--only-source" in sys.argv and "--srcdict" not in sys.argv:
    open("../dict.txt", "w").close()
"""
FILMS = {
    "train": "a good film\t1\na Bad film\t0\n",
    "valid": 'not "good\t0\n',
    "test": "a film\t1\nbad , bad\t0",  # no newline at the end
}
PAIRS = {
    "train": "index\tsentence1\tsentence2\tlabel\n0\tA well-known film.\tA film\tentailment\n"
    "1\tBad film.\tA good film\tnot_entailment\n",
    "valid": "index\tsentence1\tsentence2\tlabel\n0\tGood\tBad\tnot_entailment\n",
    "test": "index\tsentence1\tsentence2\n0\tA film\tGood\n",
}
PAIR_FLAGS = [
    "--columns", "index", "sentence1", "sentence2", "label", "--header", "--raw-text",
    "--inputs", "sentence1", "sentence2", "--classes", "entailment", "not_entailment",
]  # fmt: skip
FILM_FLAGS = ["--columns", "sentence", "label", "--inputs", "sentence", "--classes", "0", "1"]


@pytest.fixture
def quick(tmp_path, monkeypatch) -> None:
    """Replace fairseq's program."""
    monkeypatch.setenv("PYTHONPATH", preprocess(tmp_path, COUNT))


def write(folder: Path, texts: dict[str, str]) -> list[str]:
    """Write the tables, and return the flags that name them."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.tsv").write_bytes(text.encode())
    return [word for name in texts for word in (f"--{name}", str(folder / f"{name}.tsv"))]


def pretrained(folder: Path, kind: str, lowercase: bool = True) -> Path:
    """A folder of a pre-trained model that knows words, pieces of words, or bytes."""
    folder.mkdir(exist_ok=True)
    tokens = {"words": "a good bad film", "pieces": "a g@@ oo@@ d , bad bad@@ fi@@ lm", "bytes": ""}
    lines = "".join(f"{token} 1\n" for token in tokens[kind].split())
    (folder / "dict.txt").write_text(lines)
    if kind == "bytes":
        pieces = {piece: number for number, piece in enumerate(bytes_to_unicode().values())}
        (folder / "encoder.json").write_text(json.dumps(pieces))
        (folder / "vocab.bpe").write_text("#version: 0.2\n")
        return folder
    settings = {"settings": {"unit": kind, **({"lowercase": True} if lowercase else {})}}
    (folder / "prepared.json").write_text(json.dumps(settings))
    if kind == "pieces":
        codes = "#version: 0.2\no o\nb a\nba d</w>\nf i\nl m</w>\ng oo\ngoo d</w>\n"
        (folder / "bpecodes").write_text(codes)
    return folder


def prepare(folder: Path, *flags: object, kind: str = "words", texts=FILMS, columns=FILM_FLAGS):
    """Run the command; its exit code."""
    line = [*write(folder / "raw", texts), *columns, "--dest", folder / "made"]
    line += ["--pretrained", pretrained(folder / "pretrained", kind), *flags]
    return memtx("prepare", "classification", *line)


def seen(folder: Path, name: str, split: str) -> list[str]:
    """What fairseq was given of an input, or of the labels."""
    return (folder / f"made/{name}/seen/{split}.tokens").read_text().splitlines()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("words", {"train": ["a good film", "a bad film"], "valid": ['not "good']}),
        # "good" would be one piece; the dictionary knows only its parts.
        ("pieces", {"train": ["a g@@ oo@@ d fi@@ lm", "a bad fi@@ lm"]}),
        ("bytes", {"valid": ["77 78 83 220 1 70 78 78 67"], "test": ["64 220 69 72 75 76"]}),
    ],
)
def test_sentences_are_cut_as_the_model_reads_them(kind, expected, quick, tmp_path, capsys):
    assert prepare(tmp_path, kind=kind) == 0
    for split, lines in expected.items():
        assert seen(tmp_path, "input0", split)[: len(lines)] == lines
    assert seen(tmp_path, "label", "train") == ["1", "0"]
    assert seen(tmp_path, "label", "test") == ["1", "0"]
    labels = tmp_path / "made/label/seen/dict.txt"
    assert labels.read_text() == "0 1\n1 1\n"
    words = (tmp_path / "pretrained/dict.txt").read_text()
    assert (tmp_path / "made/input0/seen/dict.txt").read_text() == words
    output = capsys.readouterr().out
    assert "valid: 1 rows, the longest " in output
    assert not list((tmp_path / "made").rglob("work"))


def test_case_is_that_of_the_pretrained_model(quick, tmp_path):
    line = [*write(tmp_path / "raw", FILMS), *FILM_FLAGS, "--pretrained"]
    line.append(str(pretrained(tmp_path / "pretrained", "words", lowercase=False)))
    assert memtx("prepare", "classification", *line, "--dest", tmp_path / "made") == 0
    assert seen(tmp_path, "input0", "train")[1] == "a Bad film"
    shutil.rmtree(tmp_path / "made")
    line += ["--dest", str(tmp_path / "made")]
    assert memtx("prepare", "classification", *line, "--lowercase") == 0
    assert seen(tmp_path, "input0", "train")[1] == "a bad film"


def test_pairs(quick, tmp_path, capsys):
    """Punctuation is told apart as in WikiText; a test set without labels is kept."""
    assert prepare(tmp_path, texts=PAIRS, columns=PAIR_FLAGS) == 0
    assert seen(tmp_path, "input0", "train")[0] == "a well @-@ known film ."
    assert seen(tmp_path, "input1", "train") == ["a film", "a good film"]
    assert seen(tmp_path, "label", "train") == ["entailment", "not_entailment"]
    assert seen(tmp_path, "input1", "test") == ["good"]
    assert not (tmp_path / "made/label/seen/test.tokens").exists()
    output = capsys.readouterr().out
    assert "train: 2 rows, the longest 11 tokens with <s> and </s>" in output
    assert "test: 1 rows without labels, " in output
    record = json.loads((tmp_path / "made/prepared.json").read_text())
    assert record["longest_row"] == {"train": 11, "valid": 5, "test": 6}
    assert record["rows"] == {"train": 2, "valid": 1, "test": 1}


def test_bytes_need_no_words(quick, tmp_path):
    """GPT-2's BPE was trained on text as it is written."""
    assert prepare(tmp_path, kind="bytes", texts=PAIRS, columns=PAIR_FLAGS) == 0
    numbers = {str(number): piece for number, piece in enumerate(bytes_to_unicode().values())}
    line = "".join(numbers[token] for token in seen(tmp_path, "input0", "train")[0].split())
    assert line == "AĠwell-knownĠfilm."


def test_fairseqs_task_reads_it(tmp_path):
    """With the real program: pairs, classes in their order, symbols of the pre-trained model."""
    assert prepare(tmp_path, texts=PAIRS, columns=PAIR_FLAGS, kind="pieces") == 0
    made = tmp_path / "made"
    line = [str(made), "--task", "sentence_prediction", "--num-classes", "2", "--no-shuffle"]
    line += ["--init-token", "0", "--separator-token", "2", "--arch", "roberta"]
    line += ["--criterion", "sentence_prediction"]
    parser = options.get_training_parser()
    cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, line))
    task = tasks.setup_task(cfg.task)
    for split in ("train", "valid", "test"):
        task.load_dataset(split)
    dictionary = Dictionary.load(str(tmp_path / "pretrained/dict.txt"))
    assert task.dictionary.symbols == [*dictionary.symbols, "<mask>"]
    batch = task.dataset("train").collater([task.dataset("train")[row] for row in range(2)])
    assert batch["target"].flatten().tolist() == [0, 1]
    row = batch["net_input"]["src_tokens"][1]
    text = dictionary.string(row[row != dictionary.pad()], include_eos=True)
    assert text == "bad fi@@ lm <unk> </s> </s> a g@@ oo@@ d fi@@ lm </s>"
    assert batch["net_input"]["src_tokens"][1][0] == dictionary.bos()
    assert "target" not in task.dataset("test")[0]


@pytest.mark.parametrize(
    ("columns", "split", "text", "says"),
    [
        (FILM_FLAGS, "train", "good\t1\nbad film 0\n", r"train.tsv, line 2: 1 columns, and there"),
        (FILM_FLAGS, "train", "good\n", r"train.tsv, line 1: 1 columns, and there should be"),
        (FILM_FLAGS, "valid", "good\t1\tx\n", r"valid.tsv, line 1: 3 columns"),
        (FILM_FLAGS, "train", "good\t1\nbad\t2\n", r"line 2: the label is '2', and not of 0, 1"),
        (FILM_FLAGS, "train", "sentence\tlabel\n", r"line 1: the label is 'label', and not of 0"),
        (FILM_FLAGS, "train", "good\t1\n \t0\n", r"train.tsv, line 2: sentence is empty"),
        (FILM_FLAGS, "test", "", r"test.tsv: no rows, it is empty or cut off"),
        (FILM_FLAGS, "test", "good\nbad\t1\n", r"test.tsv, line 2: 2 columns, and there should"),
        (PAIR_FLAGS, "train", "0\ta\tb\tentailment\n", r"line 1: the columns are 0, a, b, ent"),
        (PAIR_FLAGS, "valid", "index\tsentence1\tsentence2\tlabel\n", r"valid.tsv: no rows"),
        (PAIR_FLAGS, "train", "index\tsentence1\tsentence2\n0\ta\tb\n", r"line 1: the columns are"),
    ],
)
def test_rows_that_are_wrong(columns, split, text, says, tmp_path, capsys):
    texts = {**(PAIRS if columns is PAIR_FLAGS else FILMS), split: text}
    assert prepare(tmp_path, texts=texts, columns=columns) == 1
    error = capsys.readouterr().err
    assert re.search(says, error)
    assert error.startswith("fairseq-memtx: error: ")
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("made*"))


def spoil(folder: Path, name: str, content: bytes | None) -> None:
    path = folder / name
    path.unlink() if content is None else path.write_bytes(content)


@pytest.mark.parametrize(
    ("kind", "name", "content", "says"),
    [
        ("words", "raw/valid.tsv", None, "missing file: .*valid.tsv"),
        ("words", "raw/train.tsv", b"gr\xfc\xdfe\t1\n", "train.tsv, line 1: not UTF-8"),
        ("words", "pretrained/dict.txt", None, "missing file: .*dict.txt; give the folder that"),
        ("words", "pretrained/prepared.json", b'{"sett', "prepared.json: damaged file"),
        ("pieces", "pretrained/bpecodes", b"a b c d\n", "bpecodes: no codes of subword-nmt"),
        ("bytes", "pretrained/encoder.json", b'{"a"', "encoder.json or .*damaged file"),
    ],
)
def test_files_that_are_wrong(kind, name, content, says, tmp_path, capsys):
    line = [*write(tmp_path / "raw", FILMS), *FILM_FLAGS, "--dest", str(tmp_path / "made")]
    line += ["--pretrained", str(pretrained(tmp_path / "pretrained", kind))]
    spoil(tmp_path, name, content)
    assert memtx("prepare", "classification", *line) == 1
    error = capsys.readouterr().err
    assert re.search(says, error)
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("made*"))


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--columns", "label", "text"], "the last of --columns is to be 'label'"),
        (["--inputs", "words"], "--inputs are one or two of --columns"),
        (["--classes", "0", "0"], "--classes are two or more, all different"),
    ],
)
def test_flags_that_are_wrong(flags, says, tmp_path, capsys):
    with pytest.raises(SystemExit):
        prepare(tmp_path, *flags)
    assert says in capsys.readouterr().err


def test_a_folder_is_whole_or_not_there(quick, tmp_path, capsys):
    program = tmp_path / "stand in/fairseq_cli/preprocess.py"
    program.write_text("print('the disk is full'); raise SystemExit(1)")
    assert prepare(tmp_path) == 1
    error = capsys.readouterr().err
    assert "fairseq-preprocess failed, with the lines above" in error
    assert not (tmp_path / "made").exists()
    program.write_text(COUNT.replace("len(lines)}", "7}"))
    assert prepare(tmp_path) == 1
    assert "the tables have {'train': 2, 'valid': 1, 'test': 2}" in capsys.readouterr().err
    program.write_text(COUNT)
    assert prepare(tmp_path) == 0
    assert not (tmp_path / "made.partial").exists()

    capsys.readouterr()
    before = (tmp_path / "made/prepared.json").read_bytes()
    assert prepare(tmp_path) == 0
    assert "made is prepared already" in capsys.readouterr().out
    assert prepare(tmp_path, "--classes", "1", "0") == 1
    assert "exists, but was not made from this input" in capsys.readouterr().err
    # Another dictionary is another input.
    assert prepare(tmp_path, kind="pieces") == 1
    assert (tmp_path / "made/prepared.json").read_bytes() == before


# --- the example scripts -------------------------------------------------------------------------


@pytest.fixture
def copy(quick, tmp_path, monkeypatch) -> Path:
    """A copy of the scripts, where they may be changed."""
    folder = tmp_path / "a copy"
    for name in ("language_model", "translation", "long_documents"):
        shutil.copytree(ROOT / "examples" / name, folder / "examples" / name)
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    (folder / "fairseq_memtx").symlink_to(ROOT / "fairseq_memtx")
    monkeypatch.setenv("PYTHON", sys.executable)
    monkeypatch.chdir(tmp_path)
    return folder


def shell(copy: Path, name: str, *arguments: object) -> subprocess.CompletedProcess:
    path = copy / f"examples/long_documents/prepare-{name}.sh"
    command = ["bash", str(path), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def amend(copy: Path, name: str, *changes: tuple[str, str]) -> None:
    """Put the sizes of small files into a script of the copy."""
    path = copy / f"examples/long_documents/prepare-{name}.sh"
    text = path.read_text()
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    path.write_text(text)


def article(title: str, text: str) -> str:
    return f" \n = {title} = \n \n {text} \n \n = = Part = = \n \n It says : \n = x = \n"


def write_wikitext(folder: Path, copy: Path) -> None:
    valid = "".join(article(f"Title {n}", f"The lobster has {n} claws .") for n in range(20))
    test = "".join(article(f"Test {n}", "The lobster clawed .") for n in range(2))
    for name, text in (("valid", valid), ("test", test)):
        (folder / f"wiki.{name}.raw").write_text(text + " \n")
    sizes = {"3760": valid.count("\n") + 1, "4358": test.count("\n") + 1}
    amend(copy, "wikitext2", *((old, str(new)) for old, new in sizes.items()), ("8000", "60"))


def test_wikitext2(copy, tmp_path):
    """Articles whole, a blank line between them and no other, in lower-case pieces."""
    raw = tmp_path / "raw"
    raw.mkdir()
    result = shell(copy, "wikitext2", raw, "made")
    assert result.stderr == f"prepare-wikitext2.sh: error: missing file: {raw}/wiki.valid.raw\n"
    write_wikitext(raw, copy)
    result = shell(copy, "wikitext2", raw, "made")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert "train: 19 documents\nvalid: 1 documents\ntest: 2 documents\n" in result.stdout
    made = tmp_path / "made"
    texts = {name: (made / f"seen/{name}.tokens").read_text() for name in ("train", "valid")}
    words = {name: text.replace("@@ ", "") for name, text in texts.items()}
    documents = words["train"].split("\n\n")
    assert len(documents) == 19
    assert documents[3].strip() == (
        "= title 3 =\nthe lobster has 3 claws .\n= = part = =\nit says :\n= x ="
    )
    assert words["valid"].startswith("= title 19 =\n")
    assert "@@" in texts["train"]
    record = json.loads((made / "prepared.json").read_text())
    assert record["settings"]["lowercase"] is True
    assert record["settings"]["bpe_size"] == 60
    assert (made / "bpecodes").read_text().startswith("#version")
    # A word that train has not is cut into pieces that train has, or else into letters.
    pieces = set((made / "seen/test.tokens").read_text().split())
    longer = {piece for piece in pieces if len(piece.replace("@@", "")) > 1}
    assert longer <= set(texts["train"].split())
    assert not list(tmp_path.glob("made.*"))
    (raw / "wiki.test.raw").write_text(" \n")
    result = shell(copy, "wikitext2", raw, "other")
    assert "wiki.test.raw has 1 lines, the official one has" in result.stderr
    assert "usage: prepare-wikitext2.sh RAW_FOLDER [DEST]" in shell(copy, "wikitext2").stderr


@pytest.mark.parametrize(
    ("name", "texts", "sizes"),
    [("sst2", FILMS, "6920 872 1821"), ("rte", PAIRS, "2490 277 3000")],
)
def test_tables(name, texts, sizes, copy, tmp_path):
    raw, model = tmp_path / "raw", pretrained(tmp_path / "model", "pieces")
    write(raw, texts)
    (raw / "valid.tsv").rename(raw / "dev.tsv")
    result = shell(copy, name, raw, "made")
    assert result.returncode == 1
    assert "missing file: " in result.stderr
    assert "data-bin/wikitext2-documents/dict.txt; give the folder that" in result.stderr
    result = shell(copy, name, raw, "made", "--pretrained", model)
    assert re.search(r"train.tsv has 2 rows, the official one has (6920|2490): it", result.stderr)
    amend(copy, name, (sizes, "2 1 2" if name == "sst2" else "2 1 1"))
    result = shell(copy, name, raw, "made", "--pretrained", model)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert "a bad fi@@ lm" in seen(tmp_path, "input0", "train") or name == "rte"
    assert seen(tmp_path, "label", "valid") == ["0" if name == "sst2" else "not_entailment"]
    assert f"usage: prepare-{name}.sh RAW_FOLDER [DEST]" in shell(copy, name).stderr


# --- pieces of language models -------------------------------------------------------------------


def language_model(folder: Path, *flags: object, text: bytes = b"the lobster\nThe lobsters\n"):
    (folder / "text").write_bytes(text)
    files = ["--train", folder / "text", "--valid", folder / "text", "--dest", folder / "made"]
    return memtx("prepare", "language-model", *files, *flags)


def test_lower_case(quick, tmp_path):
    assert language_model(tmp_path, "--unit", "words", "--lowercase") == 0
    assert (tmp_path / "made/seen/train.tokens").read_text() == "the lobster\nthe lobsters\n"
    record = json.loads((tmp_path / "made/prepared.json").read_text())
    assert record["settings"]["lowercase"] is True
    assert language_model(tmp_path, "--unit", "words") == 1  # is not what the folder was made with


@pytest.mark.parametrize(
    "flags",
    [["pieces"], ["words", "--bpe-size", 9], ["bytes", "--lowercase"]],
)
def test_flags_of_pieces(flags, tmp_path, capsys):
    with pytest.raises(SystemExit):
        language_model(tmp_path, "--unit", *flags)
    assert re.search("need each other|is for words and pieces", capsys.readouterr().err)


def test_text_that_no_pieces_come_from(tmp_path, capsys):
    flags = ["--unit", "pieces", "--bpe-size", 50]
    assert language_model(tmp_path, *flags, text=b"the\ngr\xfc\xdfe\n") == 1
    assert "text, line 2: not UTF-8" in capsys.readouterr().err
    assert language_model(tmp_path, *flags, text=b"a\n") == 1
    assert "subword-nmt failed to learn the BPE" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


def test_documents_of_pages(tmp_path):
    """`raw_text.py documents` knows pages, too, and keeps what stands before the first."""
    text = "".join(f"  <page>\n    {number}\n\n  </page>\n" for number in range(3))
    (tmp_path / "pages").write_text(text)
    program = ROOT / "examples/language_model/raw_text.py"
    flags = ["documents", tmp_path / "pages", "--at", "page", "--output", tmp_path / "made"]
    assert succeed("python", program, *flags) == "made: 3 documents\n"
    pages = [f"  <page>\n    {number}\n  </page>\n" for number in range(3)]
    assert (tmp_path / "made").read_text() == "\n".join(pages)
