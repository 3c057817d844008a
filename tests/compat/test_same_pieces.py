"""Text that is typed has the pieces that the prepared folder has, wherever it enters.

Lines are strange ones: dashes, quotes, entities, marks of the BPE, spaces and control characters
that Python or fairseq take for something else, scripts without spaces, words like symbols.
"""

# ruff: noqa: RUF001, SIM905, E501

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

import pytest
from conftest import ROOT
from fairseq import options, tasks
from fairseq.data import Dictionary
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.hub_utils import GeneratorHubInterface
from fairseq.models.roberta.hub_interface import RobertaHubInterface
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from fairseq_memtx.data.question_windows import TextEncoder
from fairseq_memtx.text import FolderText, split_words

sys.path.insert(0, str(ROOT / "scripts"))

import prepare_classification
import prepare_language_model
import prepare_translation
from parallel_text import check_text
from word_pieces import cut_file, read_codes, write_words

KEEP_WORK = """
import pathlib, re, shutil, sys
shutil.copytree(".", "../seen")
words = {}
for file in pathlib.Path().glob("*pieces*" if "-s" in sys.argv else "*.tokens"):
    lines = file.read_text(encoding="utf-8").split("\\n")[:-1]
    words.update((word, 1) for line in lines for word in line.split())
    tokens = sum(len(line.split()) + 1 for line in lines)
    print(f"[None] {file.name}: {len(lines)} sents, {tokens} tokens, 0.0% replaced (by <unk>)")
text = "".join(f"{word} 1\\n" for word in sorted(words))
for name in ["dict.de.txt", "dict.en.txt"] if "-s" in sys.argv else ["dict.txt"]:
    pathlib.Path("..", name).write_text(text, encoding="utf-8")
"""
STRANGE = (
    "- – — ' ` ´ ’ ‘ „ “ ” \" « » … . , ; : ! ? ( ) [ ] < > & | @ # % $ / \\ _ = ~ @@ @-@ &amp; &#124; "
    "&#39; <pad> </s> <s> <unk> <mask> madeupword0000 #fairseq:overwrite it's don't U.S. 3.5 1,000 "
    "http://example.org/a?b=c&d a.b@example.org ™ € ½ 👍🏽 é e\u0301 ß İ ǅ ﬁ \u200b \u200d \ufeff \u00ad "
    "\x07 \x1b \x7f 我爱你 。 「カナ」 สวัสดี ភាសា 한국어 नमस्ते שלום"
).split(" ")
SPACES = [
    " ",
    "  ",
    "\t",
    "\r",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x85",
    "\xa0",
    "\u2009",
    "\u2028",
    "\u3000",
    "",
]
WORDS = ["Der", "Hund", "the", "Dog", "tree", "bread", "Haus", "x" * 40]
PARTS = some.sampled_from([*STRANGE, *WORDS]) | some.text(max_size=4).filter(
    lambda text: not set(text) & set("\n\0") and text.isprintable()
)
LINES = some.lists(some.tuples(PARTS, some.sampled_from(SPACES)), min_size=1, max_size=8).map(
    lambda parts: "".join(part + space for part, space in parts)
)
MANY = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
TEXT = {
    "de": "Der Hund frißt das Brot. Das Haus – und der Baum – ist „alt“, sagt er; oder?\n",
    "en": "The dog's bread & the tree-house (old), he says; don't eat it! 我们 <pad> </s> x@@ it.\n",
}


def without_fairseq(monkeypatch, folder: Path) -> None:
    """Put a program in place of fairseq's that keeps what it was given."""
    package = folder / "stand in/fairseq_cli"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "preprocess.py").write_text(KEEP_WORK)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))


@pytest.fixture(scope="module")
def translation(tmp_path_factory) -> dict[bool, Path]:
    """Folders of a translation, as it is and lower-cased, with dashes left alone and split."""
    folder = tmp_path_factory.mktemp("translation")
    for language, text in TEXT.items():
        (folder / f"raw.{language}").write_text(text * 3, encoding="utf-8")
    made = {}
    with pytest.MonkeyPatch.context() as monkeypatch:
        without_fairseq(monkeypatch, folder)
        for lowercase in (False, True):
            made[lowercase] = folder / f"lowercase {lowercase}"
            flags = ["--source", "de", "--target", "en", "--bpe-size", "90"]
            flags += [
                word
                for name in ("train", "valid", "test")
                for word in (f"--{name}", folder / "raw")
            ]
            flags += ["--dest", made[lowercase]]
            flags += ["--lowercase", "--dash-splits"] if lowercase else []
            assert prepare_translation.main(list(map(str, flags))) == 0
    return made


def prepared_pieces(folder: Path, language: str, line: str, work: Path) -> str:
    """What the prepare script makes of a line in a file."""
    (work / "work").mkdir(exist_ok=True)
    (work / "raw").mkdir(exist_ok=True)
    for name in ("de", "en"):
        (work / f"text.{name}").write_bytes(f"{line}\nend\n".encode())
    text = check_text("train", str(work / "text"), ["de", "en"])
    record = FolderText.read(folder)
    write_words(text, work, record, {"lowercase": False, "max_length": None, "max_ratio": None})
    pieces = read_codes(folder / "bpecodes", record.vocabulary(language))
    cut_file(work / "work", text, language, pieces)
    lines = (work / f"work/train.pieces.{language}").read_text().split("\n")
    return lines[0] if len(lines) == 3 else ""  # empty lines are left out


def configuration(parser, *line: object):
    arguments = options.parse_args_and_arch(parser, list(map(str, line)))
    return convert_namespace_to_omegaconf(arguments)


README_FLAGS = ["--tokenizer", "moses", "--bpe", "subword_nmt", "--path", "none"]


def interactive(folder: Path, source: str, target: str, *more: object):
    """Task, tokenizer and BPE that ``fairseq-interactive`` uses with README's flags."""
    flags = [*README_FLAGS, "--moses-no-dash-splits", "--bpe-codes", folder / "bpecodes", *more]
    cfg = configuration(
        options.get_interactive_generation_parser(), folder, "-s", source, "-t", target, *flags
    )
    task = tasks.setup_task(cfg.task)
    return cfg, task, task.build_tokenizer(cfg.tokenizer), task.build_bpe(cfg.bpe)


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("lowercase", [False, True])
def test_translation(lowercase, language, translation, tmp_path):
    """In the prepare script, `fairseq-interactive` and the hub interface, from either language."""
    folder = translation[lowercase]
    other = {"de": "en", "en": "de"}[language]
    cfg, task, tokenizer, bpe = interactive(folder, language, other)
    hub = GeneratorHubInterface(cfg, task, [])

    @MANY
    @given(line=LINES)
    @example(line="The bread and the tree")
    @example(line="\ufeff\ufeff Der Hund")
    @example(line="x" * 3000)
    def same(line):
        prepared = prepared_pieces(folder, language, line, tmp_path).split()
        typed = bpe.encode(tokenizer.encode(line.strip())).split()
        assert typed == prepared or not prepared
        numbers = task.source_dictionary.encode_line(" ".join(typed), add_if_not_exist=False)
        assert hub.encode(line).tolist() == numbers.tolist()
        # No word is taken for a symbol: what is unknown or at the end is nothing else.
        assert not {0, 1, 2} & set(numbers[:-1].tolist())

    same()


def test_text_comes_back(translation):
    """Escapes, pieces and spaces between Chinese characters are undone in what is written."""
    _, _, tokenizer, bpe = interactive(translation[False], "de", "en")
    for text in ["madeupword0000 and the dog <pad> </s>", "我们爱你。 the dog", "สวัสดี"]:
        assert tokenizer.decode(bpe.decode(bpe.encode(tokenizer.encode(text)))) == text.replace(
            "<pad> </s>", "< pad > < / s >"
        )


def lm_folder(folder: Path, unit: str, *flags: str, text: str = TEXT["en"] + TEXT["de"]) -> Path:
    """A folder of a language model."""
    folder.mkdir(exist_ok=True)
    (folder / "raw").write_text(text * 3, encoding="utf-8")
    line = ["--unit", unit, "--train", folder / "raw", "--valid", folder / "raw", *flags]
    assert prepare_language_model.main([*map(str, line), "--dest", str(folder / "bin")]) == 0
    return folder / "bin"


def cut_by_the_script(folder: Path, line: str, work: Path) -> str:
    """A line in a file, as the prepare script cuts it that made the folder."""
    record = FolderText.read(folder)
    tokenize = prepare_language_model.words(record)
    if record.unit == "pieces":
        bpe = read_codes(folder / "bpecodes", record.vocabulary())
        pieces = lambda line, where: bpe.segment_tokens(words(line, where))  # noqa: E731
        words, tokenize = tokenize, pieces
    (work / "line").write_bytes(f"{line}\n".encode())
    (tokens,) = prepare_language_model.read_tokens(work / "line", tokenize, "")
    return " ".join(tokens)


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("unit", ["words", "pieces"])
def test_language_models_and_their_readers(unit, lowercase, tmp_path, monkeypatch):
    """The script, a prompt, RoBERTa's hub interface, a table of sentences, a question's context."""
    without_fairseq(monkeypatch, tmp_path)
    flags = ["--lowercase"] * lowercase + (["--bpe-size", "80"] if unit == "pieces" else [])
    folder = lm_folder(tmp_path / "lm", unit, *flags)
    record = FolderText.read(folder)
    assert record.punctuation_apart is False
    assert record.lowercase == lowercase
    dictionary = Dictionary.load(str(folder / "dict.txt"))
    bpe = Namespace(
        _name="subword_nmt",
        bpe="subword_nmt",
        bpe_codes=str(folder / "bpecodes"),
        bpe_separator="@@",
    )
    bpe = bpe if unit == "pieces" else None
    task = tasks.masked_lm.MaskedLMTask.setup_task(Namespace(data=str(folder)))
    typed = task.build_bpe(bpe)
    hub = RobertaHubInterface(Namespace(bpe=bpe), task, None)
    table = prepare_classification.PretrainedText(folder, raw_text=False, lowercase=False)
    questions = TextEncoder(dictionary, record=record)

    @MANY
    @given(line=LINES.filter(str.strip))
    @example(line="\ufeff Der Hund , the tree-house.")
    def same(line):
        prepared = cut_by_the_script(folder, line, tmp_path)
        assert typed.encode(line.strip()) == prepared
        assert table.cut(line) == prepared
        numbers = dictionary.encode_line(prepared, add_if_not_exist=False).tolist()
        assert hub.encode(line).tolist() == [0, *numbers]
        context = line.strip().lstrip("\ufeff")  # a mark at the start of JSON is none of a text
        encoded = questions(context)
        assert encoded.pieces.tolist() == numbers[:-1]
        assert all(
            0 <= start < end <= len(context) for start, end in zip(encoded.starts, encoded.ends)
        )
        assert split_words(typed.decode(prepared)) == split_words(
            context.lower() if lowercase else context
        )

    same()
