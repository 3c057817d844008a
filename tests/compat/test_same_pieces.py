"""Text that is typed has the pieces that the prepared folder has, wherever it enters.

Lines are strange ones: dashes, quotes, entities, marks of the BPE, spaces and control characters
that Python or fairseq take for something else, scripts without spaces, words like symbols.
"""

# ruff: noqa: RUF001, SIM905, E501

import json
import shutil
from argparse import Namespace
from pathlib import Path

import pytest
from conftest import memtx, succeed, train_flags
from fairseq import options, tasks
from fairseq.data import Dictionary, encoders
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.hub_utils import GeneratorHubInterface
from fairseq.models.roberta.hub_interface import RobertaHubInterface
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some
from stand_ins import preprocess

from fairseq_memtx.data import folder_pieces
from fairseq_memtx.data.questions.windows import TextEncoder
from fairseq_memtx.errors import MemtxError
from fairseq_memtx.prepare import language_model
from fairseq_memtx.prepare.parallel_text import check_text
from fairseq_memtx.prepare.pretrained_text import PretrainedText
from fairseq_memtx.prepare.word_pieces import cut_file, write_words
from fairseq_memtx.text.folder import FolderText, read_codes
from fairseq_memtx.text.words import split_words

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
    monkeypatch.setenv("PYTHONPATH", preprocess(folder, KEEP_WORK))


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
            assert memtx("prepare", "translation", *flags) == 0
    return made


def prepared_pieces(folder: Path, language: str, line: str, work: Path) -> str:
    """What the prepare script makes of a line in a file."""
    (work / "work").mkdir(exist_ok=True)
    (work / "raw").mkdir(exist_ok=True)
    for name in ("de", "en"):
        (work / f"text.{name}").write_bytes(f"{line}\nend\n".encode())
    text = check_text("train", str(work / "text"), ["de", "en"])
    record = FolderText.read(folder)
    write_words(text, work, record)
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
    assert memtx("prepare", "language-model", *line, "--dest", folder / "bin") == 0
    return folder / "bin"


def cut_by_the_script(folder: Path, line: str, work: Path) -> str:
    """A line in a file, as the prepare script cuts it that made the folder."""
    record = FolderText.read(folder)
    tokenize = language_model.words(record)
    if record.unit == "pieces":
        bpe = read_codes(folder / "bpecodes", record.vocabulary())
        pieces = lambda line, where: bpe.segment_tokens(words(line, where))  # noqa: E731
        words, tokenize = tokenize, pieces
    (work / "line").write_bytes(f"{line}\n".encode())
    (tokens,) = language_model.read_tokens(work / "line", tokenize, "")
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
    table = PretrainedText(folder, raw_text=False, lowercase=False)
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


def task_of(folder: Path):
    """As much of a task as has a data folder."""
    return tasks.masked_lm.MaskedLMTask(Namespace(data=str(folder)), Dictionary())


def bpe_flags(folder: Path):
    codes = str(folder / "bpecodes")
    return Namespace(_name="subword_nmt", bpe="subword_nmt", bpe_codes=codes, bpe_separator="@@")


def test_flags_that_do_not_fit_are_refused_or_told(translation, tmp_path, monkeypatch, caplog):
    """Never cut in silence in another way than the folder was."""
    folder = translation[False]
    cfg, task, _, _ = interactive(folder, "de", "en")
    with pytest.raises(
        MemtxError, match=r"--tokenizer nltk is not how .* was split: use --tokenizer m"
    ):
        folder_pieces.folder_tokenizer(
            object(), FolderText.read(folder), task, Namespace(_name="nltk")
        )
    with pytest.raises(
        MemtxError, match=r"--bpe characters is not how .* was cut: use --bpe subword_"
    ):
        task.build_bpe(Namespace(bpe="characters"))
    interactive(translation[True], "de", "en")
    assert "text is split without --moses-no-dash-splits, as" in caplog.text

    without_fairseq(monkeypatch, tmp_path)
    words = task_of(lm_folder(tmp_path / "words", "words"))
    with pytest.raises(
        MemtxError, match=r"--bpe subword_nmt .*: leave it out, as its words are whole"
    ):
        words.build_bpe(bpe_flags(folder))
    words.build_tokenizer(cfg.tokenizer)
    assert "--tokenizer moses splits text before it is cut as that in" in caplog.text
    pieces = task_of(lm_folder(tmp_path / "pieces", "pieces", "--bpe-size", "80"))
    assert pieces.build_bpe(None) is None
    assert "is cut into pieces: add --bpe subword_nmt and its files" in caplog.text
    pieces.build_bpe(bpe_flags(folder))
    assert f"--bpe-codes {folder / 'bpecodes'} is not the BPE of" in caplog.text


def test_an_older_folder_is_told(translation, tmp_path, caplog):
    """It has the record, but not the vocabularies."""
    for name in ("bpecodes", "dict.de.txt", "dict.en.txt", "prepared.json"):
        shutil.copy(translation[False] / name, tmp_path)
    _, _, tokenizer, bpe = interactive(tmp_path, "de", "en")
    assert bpe.encode(tokenizer.encode("Der Hund."))
    assert "has no bpevocab.de, since an older version prepared it" in caplog.text


def test_a_folder_without_a_record_is_left_to_fairseq(tmp_path):
    (tmp_path / "bpecodes").write_text("#version: 0.2\na b</w>\n")
    bpe = task_of(tmp_path).build_bpe(bpe_flags(tmp_path))
    assert type(bpe).__name__ == "SubwordNMTBPE"
    assert task_of(tmp_path).build_bpe(None) is None


def test_a_record_beside_the_codes_is_enough(translation, tmp_path):
    """As for a model in a folder of its own, whose data lie elsewhere."""
    record = folder_pieces.record_of(task_of(tmp_path), bpe_flags(translation[True]))
    assert record == FolderText.read(translation[True])


def test_a_damaged_record_ends_in_one_line(tmp_path):
    (tmp_path / "prepared.json").write_text("{")
    with pytest.raises(MemtxError, match=r"prepared\.json: damaged file"):
        task_of(tmp_path).build_bpe(None)


def test_sentences_for_a_classifier(tmp_path, monkeypatch):
    """The hub interface needs no flags: the folder of the table has all that cuts a sentence."""
    without_fairseq(monkeypatch, tmp_path)
    model = lm_folder(tmp_path / "lm", "pieces", "--bpe-size", "80", "--lowercase")
    (tmp_path / "table").write_text("The Tree-House, he says.\t0\nDON'T <pad>\t1\n")
    flags = ["--columns", "text", "label", "--inputs", "text", "--classes", "0", "1", "--raw-text"]
    files = ["--train", tmp_path / "table", "--valid", tmp_path / "table", "--pretrained", model]
    made = tmp_path / "made"
    assert memtx("prepare", "classification", *flags, *files, "--dest", made) == 0
    task = task_of(made)
    task.dictionary = Dictionary.load(str(model / "dict.txt"))
    hub = RobertaHubInterface(Namespace(bpe=None), task, None)
    prepared = (made / "input0/seen/train.tokens").read_text().splitlines()
    for line, sentence in zip(prepared, ["The Tree-House, he says.", "DON'T <pad>"]):
        numbers = task.dictionary.encode_line(line, add_if_not_exist=False).tolist()
        assert hub.encode(sentence).tolist() == [0, *numbers]
        assert hub.encode(sentence.upper()).tolist() == [0, *numbers]


def test_lower_case_before_byte_pairs(tmp_path, monkeypatch):
    """In commands and in RoBERTa's hub interface."""
    record = FolderText(tmp_path, "gpt2", lowercase=True)
    (tmp_path / "prepared.json").write_text(json.dumps({"settings": {}, "text": record.entry()}))

    class Letters:
        def encode(self, text):
            return " ".join(text)

        def decode(self, tokens):
            return tokens.replace(" ", "")

    gpt2 = Namespace(_name="gpt2")
    typed = folder_pieces.folder_bpe(Letters(), record, None, gpt2)
    monkeypatch.setattr(encoders, "build_bpe", lambda flags: Letters())
    hub = RobertaHubInterface(Namespace(bpe=gpt2), task_of(tmp_path), None)
    for bpe in (typed, hub.bpe):
        assert bpe.encode("AbC") == "a b c"
        assert bpe.decode("a b") == "ab"


@pytest.mark.training
def test_the_commands(toy_text, tmp_path):
    """What `fairseq-interactive` shows of raw text is what `fairseq-generate` shows of the folder."""
    flags = ["--source", "src", "--target", "tgt", "--bpe-size", 40, "--dest", tmp_path / "bin"]
    flags += ["--train", toy_text / "train", "--valid", toy_text / "valid", "--lowercase"]
    (tmp_path / "test.src").write_bytes(
        "\ufeffNine–ten, <pad> &amp; SEVEN\rten\r\n我们 one\r\n".encode()
    )
    (tmp_path / "test.tgt").write_text("ten nine\none\n")
    flags += ["--test", tmp_path / "test"]
    assert memtx("prepare", "translation", *flags) == 0
    data, saved = tmp_path / "bin", tmp_path / "saved"
    succeed("fairseq-train", *train_flags(data, saved, "--max-update", 1))
    plugin = ["--user-dir", "fairseq_memtx", "-s", "src", "-t", "tgt", "--cpu", "--beam", 1]
    plugin += ["--path", saved / "checkpoint_last.pt", "--max-len-b", 3]
    prepared = succeed("fairseq-generate", data, *plugin, "--required-batch-size-multiple", 1)
    pieces = ["--tokenizer", "moses", "--moses-no-dash-splits", "--bpe", "subword_nmt"]
    pieces += ["--bpe-codes", data / "bpecodes"]
    raw = (tmp_path / "test.src").read_bytes().decode()
    typed = succeed("fairseq-interactive", data, *plugin, *pieces, input=raw)

    def sources(output: str) -> list[str]:
        return sorted(line for line in output.split("\n") if line.startswith("S-"))

    assert len(sources(prepared)) == 2
    assert sources(typed) == sources(prepared)
