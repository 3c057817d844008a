"""``fairseq-memtx prepare translation``: the bytes as by hand, all or nothing, clear errors."""

import gzip
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, run, succeed
from fairseq.data import Dictionary, data_utils
from sacremoses import MosesDetokenizer
from stand_ins import COUNT, preprocess

NOUNS = [
    ("Hund", "dog"),
    ("Apfel", "apple"),
    ("Zug", "train"),
    ("Tisch", "table"),
    ("Ball", "ball"),
]


def sentences(count: int, seed: int) -> list[tuple[str, str]]:
    """Pairs with what a tokenizer stumbles over; the number tells which belong together."""
    choose = random.Random(seed)
    pairs = []
    for number in range(count):
        (ein, one), (zwei, two) = choose.sample(NOUNS, 2)
        pairs.append(
            (
                f'Der {ein} & der "{zwei}" (Nr. {number}) kosten 3,50 Euro.',
                f"Anna's {one} & the \"{two}\" (no {number}) don't cost 3.50 euros.",
            )
        )
    return pairs


def write(prefix: Path, pairs: list[tuple[str, str]]) -> None:
    prefix.parent.mkdir(exist_ok=True)
    for side, language in enumerate(("de", "en")):
        lines = "".join(pair[side] + "\n" for pair in pairs)
        prefix.with_name(f"{prefix.name}.{language}").write_bytes(lines.encode())


@pytest.fixture
def raw(tmp_path) -> Path:
    """A folder of raw text, in a path with a space."""
    folder = tmp_path / "raw text"
    for seed, (name, count) in enumerate([("train", 60), ("valid", 8), ("test", 9)]):
        write(folder / name, sentences(count, seed))
    return folder


def arguments(raw: Path, dest: Path, *more: object) -> list[object]:
    flags = [
        "prepare",
        "translation",
        "--source",
        "de",
        "--target",
        "en",
        "--bpe-size",
        120,
        "--dest",
        dest,
    ]
    for split in ("train", "valid", "test"):
        flags += [f"--{split}", raw / split]
    return [*flags, *more]


def environment(folder: Path, program: str) -> dict[str, str]:
    """An environment in which ``python -m fairseq_cli.preprocess`` runs ``program``."""
    stand_in = preprocess(folder, program)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([stand_in, str(ROOT)])}


def refuse(raw: Path, dest: Path, *more: object, **options) -> str:
    """Run, and return the one line of an error."""
    result = run("fairseq-memtx", *arguments(raw, dest, *more), cwd=raw.parent, **options)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("fairseq-memtx: error: ")
    return result.stderr


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A folder made with the real programs, where an earlier run had been interrupted."""
    folder = tmp_path_factory.mktemp("data of mine")
    raw = folder / "raw text"
    train = sentences(60, 0)
    train[7] = ("Ein Satz ohne Partner.", " \x07\t")
    write(raw / "train", train)
    for seed, name in enumerate(["valid", "test", "more"], start=1):
        write(raw / name, sentences(8 + seed, seed))
    packed = raw / "train.en"
    (raw / "train.en.gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    left_over = folder / "bin/made.partial/left over"
    left_over.mkdir(parents=True)
    # A relative path, as users give it.
    output = succeed(
        "fairseq-memtx",
        *arguments(Path("raw text"), Path("bin/made"), "--test", Path("raw text/more")),
        cwd=folder,
    )
    assert "1 with an empty side" in output
    assert "pairs: train 59, valid 9, test 10, test1 11" in output
    return folder / "bin/made"


def test_folder_is_whole(prepared):
    names = {path.name for path in prepared.iterdir()}
    for split in ("train", "valid", "test", "test1"):
        names -= {f"{split}.de-en.{side}.{end}" for side in ("de", "en") for end in ("bin", "idx")}
    assert names == {
        "bpecodes", "bpevocab.de", "bpevocab.en", "dict.de.txt", "dict.en.txt", "prepared.json",
        "preprocess.log", "raw",
    }  # fmt: skip
    assert not prepared.with_name("made.partial").exists()


def test_record_says_what_it_was_made_of(prepared):
    record = json.loads((prepared / "prepared.json").read_text())
    raw = prepared.parents[1] / "raw text"
    assert record["settings"] == {
        "source": "de",
        "target": "en",
        "bpe_size": 120,
        "lowercase": False,
        "dash_splits": False,
        "max_length": None,
        "max_ratio": None,
    }
    assert record["files"]["train.en"] == "train.en.gz"
    assert record["files"]["test1.de"] == "more.de"
    for key, name in record["files"].items():
        assert record["sha256"][key] == hashlib.sha256((raw / name).read_bytes()).hexdigest()
    assert record["pairs"] == {"train": 59, "valid": 9, "test": 10, "test1": 11}
    assert record["training_pairs_left_out"] == {"with an empty side": 1}
    assert {"python", "sacremoses", "subword-nmt"} < set(record["versions"])


@pytest.mark.parametrize("split", ["valid", "test", "test1"])
def test_fairseq_reads_the_words_that_were_written(prepared, split):
    """Numbers -> pieces -> words -> text gives each line of the raw file again, in its place."""
    for language in ("de", "en"):
        dictionary = Dictionary.load(str(prepared / f"dict.{language}.txt"))
        data = data_utils.load_indexed_dataset(
            str(prepared / f"{split}.de-en.{language}"), dictionary
        )
        detokenizer = MosesDetokenizer(language)
        words = [dictionary.string(line, "@@ ").split() for line in data]
        text = [detokenizer.detokenize(line) for line in words]
        original = (prepared / f"raw/{split}.{language}").read_text().splitlines()
        assert text == original
        name = {"test1": "more"}.get(split, split)
        given = prepared.parents[1] / f"raw text/{name}.{language}"
        assert original == given.read_text().splitlines()


def test_both_sides_share_one_dictionary(prepared):
    assert (prepared / "dict.de.txt").read_bytes() == (prepared / "dict.en.txt").read_bytes()


def test_second_run_does_nothing(prepared):
    before = {path: path.stat().st_mtime_ns for path in prepared.rglob("*")}
    flags = arguments(Path("raw text"), Path("bin/made/"), "--test", "raw text/more")
    output = succeed("fairseq-memtx", *flags, cwd=prepared.parents[1])
    assert output.splitlines() == [
        "bin/made is prepared already, from the same input with the same settings"
    ]
    assert {path: path.stat().st_mtime_ns for path in prepared.rglob("*")} == before


def test_same_bytes_as_the_commands(raw, tmp_path):
    """What sacremoses and subword-nmt give on the command line, in a text full of traps."""
    traps = [
        ('Er sagte: "Ja."', "Two\u2028lines\x85in one, I'm sure..."),
        ("Wörter,\u00a0die „so“ stehen — 5 % …", "<unk> [a|b] 1\u00a0000 `quoted'' ''text''"),
    ]
    write(raw / "train", sentences(60, 0) + traps * 3)
    # English words on the German side are cut into pieces that German training text has.
    write(raw / "test", [(english, english) for _, english in sentences(9, 2)])
    succeed("fairseq-memtx", *arguments(raw, tmp_path / "made"), env=environment(tmp_path, COUNT))

    seen, by_hand = tmp_path / "made/seen", tmp_path / "by hand"
    by_hand.mkdir()
    for language in ("de", "en"):
        with (raw / f"train.{language}").open() as text:
            command = ["-q", "-l", language, "-j", "1", "normalize", "tokenize"]
            words = succeed("sacremoses", *command, stdin=text)
        assert (seen / f"train.words.{language}").read_text() == words
    words = [seen / f"train.words.{language}" for language in ("de", "en")]
    learn = ["-i", *words, "-o", "codes", "-s", 120, "-t", "--write-vocabulary", "de", "en"]
    succeed("subword-nmt", "learn-joint-bpe-and-vocab", *learn, cwd=by_hand)
    assert (tmp_path / "made/bpecodes").read_bytes() == (by_hand / "codes").read_bytes()
    for language in ("de", "en"):
        vocabulary = (tmp_path / f"made/bpevocab.{language}").read_bytes()
        assert vocabulary == (by_hand / language).read_bytes()
    for name in ("train.{}.de", "test.{}.de", "test.{}.en"):
        vocabulary = ["--vocabulary", name[-2:], "--vocabulary-threshold", 1]
        files = ["-c", "codes", "-i", seen / name.format("words"), "-o", "pieces"]
        succeed("subword-nmt", "apply-bpe", *files, *vocabulary, cwd=by_hand)
        assert (seen / name.format("pieces")).read_bytes() == (by_hand / "pieces").read_bytes()


def test_settings_change_the_text(raw, tmp_path):
    """Lower case, dashes, and which training pairs are left out."""
    traps = [
        ("", "An empty side."),
        ("eins zwei drei vier fünf sechs sieben acht neun", "one two three four five six seven"),
        ("eins", "one two"),
        ("Das Halb-Wort steht da", "The half-word stands there"),
    ]
    write(raw / "train", traps * 2)
    write(raw / "test", [("Das ÜBEL-Wort", "The\rBAD-word\r")])
    flags = ["--lowercase", "--dash-splits", "--max-length", 8, "--max-ratio", 1.5]
    made = tmp_path / "made"
    output = succeed(
        "fairseq-memtx", *arguments(raw, made, *flags), env=environment(tmp_path, COUNT)
    )
    assert "left out: 2 with an empty side, 2 too long, 2 too unequal in length" in output, output
    assert (made / "seen/train.words.de").read_text() == "das halb @-@ wort steht da\n" * 2
    assert (made / "seen/test.words.de").read_text() == "das übel @-@ wort\n"
    assert (made / "raw/test.de").read_text() == "das übel-wort\n"
    assert (made / "raw/test.en").read_bytes() == b"the bad-word\n"


def damage(raw: Path, what: str) -> None:
    """Spoil one file."""
    if what == "missing":
        (raw / "valid.en").unlink()
    elif what == "latin-1":
        lines = (raw / "train.de").read_bytes().split(b"\n")
        lines[4] = "größer".encode("latin-1")
        (raw / "train.de").write_bytes(b"\n".join(lines))
    elif what == "cut off":
        packed = gzip.compress((raw / "train.en").read_bytes())
        (raw / "train.en.gz").write_bytes(packed[: len(packed) // 2])
        (raw / "train.en").unlink()
    elif what == "longer":
        with (raw / "test.en").open("a") as file:
            file.write("One too many.\n")
    elif what == "empty":
        (raw / "train.de").write_text("")
    elif what == "blank":
        lines = (raw / "test.de").read_text().split("\n")
        lines[2] = " \t\u00a0"
        (raw / "test.de").write_text("\n".join(lines))
    elif what == "all blank":
        write(raw / "train", [("Ein Satz.", " ")] * 3)
    elif what == "tiny":
        write(raw / "train", [("a", "b")])


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("missing", r"missing file: neither .*/valid\.en nor .*/valid\.en\.gz exists"),
        ("latin-1", r"/train\.de, line 5: not UTF-8"),
        ("cut off", r"/train\.en\.gz: damaged or cut-off gzip file"),
        ("longer", r"sides of test do not match: .*test\.de has 9 lines but .*test\.en has 10"),
        ("empty", r"/train\.de: empty file"),
        ("blank", r"/test\.de, line 3: empty line in test"),
    ],
)
def test_bad_input_is_told_before_anything_is_written(raw, tmp_path, what, says):
    damage(raw, what)
    assert re.search(says, refuse(raw, tmp_path / "bin/made"))
    assert not (tmp_path / "bin").exists()


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("all blank", r"/train: no pair is left to learn from \(3 with an empty side\)"),
        ("tiny", r"subword-nmt failed to learn the BPE|too small"),
    ],
)
def test_useless_training_text(raw, tmp_path, what, says):
    damage(raw, what)
    result = run("fairseq-memtx", *arguments(raw, tmp_path / "made"))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert re.search(says, result.stderr.splitlines()[-1])
    assert not (tmp_path / "made").exists()


def test_nothing_is_overwritten(raw, tmp_path):
    """Neither somebody's own folder, nor one made from other input or with other settings."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "prepared.json").write_text('["dear"')
    assert "delete it or choose another --dest" in refuse(raw, own)
    assert [path.read_text() for path in own.iterdir()] == ['["dear"']

    made = tmp_path / "made"
    succeed("fairseq-memtx", *arguments(raw, made), env=environment(tmp_path, COUNT))
    assert "with these settings" in refuse(raw, made, "--lowercase")
    with (raw / "train.de").open("a") as german, (raw / "train.en").open("a") as english:
        german.write("Neu.\n")
        english.write("New.\n")
    assert "not made from this input" in refuse(raw, made)
    assert not (tmp_path / "made.partial").exists()


def test_failed_step_shows_its_last_words(raw, tmp_path):
    program = "import sys; print('chatter\\n' * 50 + 'the disk is on fire'); sys.exit(3)"
    flags = arguments(raw, tmp_path / "made")
    result = run("fairseq-memtx", *flags, env=environment(tmp_path, program))
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert lines[-2:] == [
        "the disk is on fire",
        "fairseq-memtx: error: fairseq-preprocess failed, with the lines above",
    ]
    assert len(lines) < 15
    assert not (tmp_path / "made").exists()


def test_interrupted_run_leaves_no_folder(raw, tmp_path):
    """Ctrl-C in the longest step ends what it started, and the next run begins anew."""
    started = tmp_path / "started"
    program = (
        f"import os, pathlib, time; pathlib.Path({str(started)!r}).write_text(str(os.getpid())); "
        "time.sleep(60)"
    )
    flags = [str(flag) for flag in arguments(raw, tmp_path / "made")]
    process = subprocess.Popen(
        [sys.executable, "-m", "fairseq_memtx", *flags],
        env=environment(tmp_path, program),
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore Ctrl-C, and so do all that they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (started.exists() and started.read_text()):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors == "fairseq-memtx: error: stopped; the next start begins anew\n"
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)
    assert not (tmp_path / "made").exists()
    assert not (tmp_path / "made.partial").exists()

    succeed("fairseq-memtx", *flags, env=environment(tmp_path, COUNT))
    assert (tmp_path / "made/prepared.json").exists()
    assert not (tmp_path / "made.partial").exists()


def test_command_line():
    result = run("fairseq-memtx", *arguments(Path("raw"), Path("made"), "--target", "de"))
    assert result.returncode == 2
    assert result.stderr == (
        "fairseq-memtx: error: --source and --target are the same language: "
        "see fairseq-memtx prepare translation --help\n"
    )
