"""fairseq's own ``masked_lm`` with the plugin: whole words, whole documents."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import fail, succeed
from fairseq import options, tasks
from fairseq.data import Dictionary, encoders, indexed_dataset
from fairseq.data.encoders.gpt2_bpe_utils import bytes_to_unicode
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

from fairseq_memtx.errors import MemtxError

# Words of one, two and three pieces, by the marker that each BPE has; "first" begins a line.
FIRST, ONE, TWO, THREE = 0, 1, 2, 3
SUBWORD_NMT = {FIRST: "ab@@ c", ONE: "c", TWO: "ab@@ c", THREE: "c@@ ab@@ d"}
SENTENCEPIECE = {FIRST: "▁ab c", ONE: "▁c", TWO: "▁ab c", THREE: "▁c ab d"}
BERT = {FIRST: "ab ##c", ONE: "c", TWO: "ab ##c", THREE: "c ##ab ##d"}
MERGES = ["a b", "Ġ ab", "Ġ c"]
GPT2 = {FIRST: "ab c", ONE: "Ġc", TWO: "Ġab c", THREE: "Ġc ab d"}


class FakePieces:
    """As much of sentencepiece as fairseq needs to tell where words begin."""

    def Load(self, path: str) -> None:
        assert Path(path).is_file()


def write_gpt2(folder: Path) -> dict[str, int]:
    """``encoder.json`` and ``vocab.bpe``; the number of each piece."""
    pieces = [*bytes_to_unicode().values(), *(merge.replace(" ", "") for merge in MERGES)]
    numbers = {piece: number for number, piece in enumerate(pieces)}
    (folder / "encoder.json").write_text(json.dumps(numbers))
    (folder / "vocab.bpe").write_text("\n".join(["#version: 0.2", *MERGES, ""]))
    return numbers


@pytest.fixture
def bpe(request, tmp_path, monkeypatch) -> tuple[dict[int, str], list[str]]:
    """The words of a BPE in its pieces, and the flags that tell fairseq which one it is."""
    if request.param == "gpt2":
        numbers = write_gpt2(tmp_path)
        spelled = {
            word: " ".join(str(numbers[piece]) for piece in pieces.split())
            for word, pieces in GPT2.items()
        }
        files = {"encoder-json": "encoder.json", "vocab-bpe": "vocab.bpe"}
        flags = [f"--gpt2-{flag}={tmp_path / name}" for flag, name in files.items()]
        return spelled, ["--bpe=gpt2", *flags]
    if request.param == "sentencepiece":
        fake = SimpleNamespace(SentencePieceProcessor=FakePieces)
        monkeypatch.setitem(sys.modules, "sentencepiece", fake)
        (tmp_path / "model").touch()
        return SENTENCEPIECE, ["--bpe=sentencepiece", f"--sentencepiece-model={tmp_path / 'model'}"]
    if request.param == "subword_nmt":
        (tmp_path / "codes").write_text("#version: 0.2\na b\n")
        return SUBWORD_NMT, ["--bpe=subword_nmt", f"--bpe-codes={tmp_path / 'codes'}"]
    return SUBWORD_NMT, []


def write_data(folder: Path, lines: list[str], dictionary: Dictionary | None = None) -> Path:
    """A data folder as ``fairseq-preprocess`` writes it, the same text in train and valid."""
    data = folder / "data"
    data.mkdir()
    if dictionary is None:
        dictionary = Dictionary()
        for symbol in sorted({symbol for line in lines for symbol in line.split()}):
            dictionary.add_symbol(symbol)
        dictionary.pad_to_multiple_(8)
    dictionary.save(str(data / "dict.txt"))
    for split in ("train", "valid"):
        path = str(data / split)
        builder = indexed_dataset.make_builder(f"{path}.bin", "mmap", len(dictionary))
        for line in lines:
            builder.add_item(dictionary.encode_line(line, add_if_not_exist=False))
        builder.finalize(f"{path}.idx")
    return data


def load(data: Path, *flags: object):
    """The task and its training set."""
    parser = options.get_training_parser()
    line = [str(data), "--task", "masked_lm", "--arch", "roberta", *map(str, flags)]
    cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, line))
    task = tasks.setup_task(cfg.task)
    task.load_dataset("train")
    return task, task.dataset("train")


WHOLE_WORDS = ["--mask-whole-words", "--tokens-per-sample", "64", "--sample-break-mode", "eos"]


@pytest.mark.parametrize("bpe", ["gpt2", "sentencepiece", "subword_nmt", "none"], indirect=True)
def test_whole_words_are_masked(bpe, tmp_path):
    """All pieces of a word or none, words of a sentence independently, and as many as asked for."""
    spelled, flags = bpe
    words = [FIRST, ONE, TWO, THREE, TWO, ONE, THREE]
    line = " ".join(spelled[word] for word in words)
    lengths = [1, *(len(spelled[word].split()) for word in words), 1]  # <s> and </s> are words
    if not flags:
        lengths = [1] * sum(lengths)
    data = write_data(tmp_path, [line] * 400)
    task, dataset = load(data, *WHOLE_WORDS, *flags)
    counts, masked = [0] * len(lengths), 0
    for index in range(len(dataset)):
        sample = dataset[index]
        target = sample["target"].ne(task.dictionary.pad())
        assert sample["net_input.src_tokens"][~target].ne(task.mask_idx).all()
        masked += int(sample["net_input.src_tokens"].eq(task.mask_idx).sum())
        for number, word in enumerate(target.split(lengths)):
            assert word.all() or not word.any()
            counts[number] += int(word[0])
    share = sum(counts) / len(lengths) / 400
    assert 0.13 < share < 0.17
    assert all(0.08 < count / 400 < 0.23 for count in counts)
    targets = sum(count * length for count, length in zip(counts, lengths))
    assert 0.73 < masked / targets < 0.87  # the rest is left as it is, or another symbol


@pytest.mark.parametrize("bpe", ["gpt2"], indirect=True)
def test_a_first_word_is_a_word(bpe, tmp_path):
    """It has no space before it, and is neither part of ``<s>`` nor of the line before."""
    spelled, flags = bpe
    lines = [f"{spelled[FIRST]} {spelled[TWO]}"] * 2
    task, dataset = load(write_data(tmp_path, lines), *WHOLE_WORDS, "--bpe=gpt2", *flags)
    table = task_table(dataset)
    row = task.dictionary.encode_line(f"<s> {lines[0]} </s> {lines[1]}", add_if_not_exist=False)
    assert table.gather(0, row.long()).int().tolist() == [1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1]


def task_table(dataset):
    """What fairseq masks words by, out of the innermost of its data sets."""
    while not hasattr(dataset, "mask_whole_words"):
        dataset = getattr(dataset, "defn", {}).get("net_input.src_tokens") or dataset.dataset
    return dataset.mask_whole_words


def test_bert_marks_what_goes_on(tmp_path, monkeypatch):
    class FakeBert:
        def is_beginning_of_word(self, piece: str) -> bool:
            return not piece.startswith("##")

    monkeypatch.setattr(encoders, "build_bpe", lambda settings: FakeBert())
    task, dataset = load(write_data(tmp_path, [f"{BERT[FIRST]} {BERT[THREE]}"]), *WHOLE_WORDS)
    line = f"<s> {BERT[FIRST]} {BERT[THREE]}"
    row = task.dictionary.encode_line(line, add_if_not_exist=False).long()
    assert task_table(dataset).gather(0, row).int().tolist() == [1, 1, 0, 1, 0, 0, 1]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--bpe=byte_bpe", "--sentencepiece-model-path=CODES"], "cannot tell words apart with .*"),
        (["--bpe=subword_nmt"], "cannot use --bpe subword_nmt, check its flags and files"),
        (["--bpe=subword_nmt", "--bpe-codes=nowhere"], "--bpe subword_nmt, .* nowhere not found"),
        (["--bpe=gpt2", "--gpt2-encoder-json=nowhere"], "--bpe gpt2, .* nowhere not found"),
    ],
)
def test_a_bpe_without_words(flags, says, tmp_path, monkeypatch):
    fake = SimpleNamespace(SentencePieceProcessor=FakePieces)
    monkeypatch.setitem(sys.modules, "sentencepiece", fake)
    (tmp_path / "codes").touch()
    flags = [flag.replace("CODES", str(tmp_path / "codes")) for flag in flags]
    data = write_data(tmp_path, ["ab@@ c d"])
    with pytest.raises(MemtxError, match=says) as error:
        load(data, *WHOLE_WORDS, *flags)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("bpe", ["gpt2", "subword_nmt"], indirect=True)
def test_the_bpe_of_another_text(bpe, tmp_path):
    """It would take every piece for a word, and mask as if the flag was not there."""
    data = write_data(tmp_path, ["▁ab c ▁c"])
    with pytest.raises(MemtxError, match=r"finds no piece in dict\.txt that --bpe"):
        load(data, *WHOLE_WORDS, *bpe[1])


def test_documents_are_kept_whole(tmp_path):
    """A row is one document; longer ones are cut where a line ends; the blank line is dropped."""
    documents = {
        "exact": ["a a a a"] * 3,  # 15 tokens with the ends of lines, 16 with <s>
        "short": ["b b"],
        "long": ["c c c c c"] * 4,  # 24 tokens: two lines fit, and so do the next two
        "last": ["d", "d d"],
    }
    lines: list[str] = []
    for document in documents.values():
        lines += [*document, ""]
    data = write_data(tmp_path, lines)
    flags = ["--sample-break-mode", "complete_doc", "--tokens-per-sample", 16]
    task, dataset = load(data, *flags)
    rows = []
    for index in range(len(dataset)):
        sample = dataset[index]
        tokens = sample["net_input.src_tokens"].clone()
        hidden = sample["target"].ne(task.dictionary.pad())
        tokens[hidden] = sample["target"][hidden]
        rows.append([task.dictionary[token] for token in tokens])
    expected = [documents["exact"], documents["short"], documents["last"]]
    expected += [documents["long"][:2], documents["long"][2:]]
    wanted = ["<s> " + " </s> ".join([*document, ""]) for document in expected]
    assert sorted(map(" ".join, rows)) == sorted(row.strip() for row in wanted)


PLUGIN = ["--user-dir", "fairseq_memtx", "--task", "masked_lm", "--cpu", "--num-workers", 0]
TRAIN = [
    *PLUGIN, "--arch", "gmat_roberta_tiny", "--criterion", "masked_lm", "--optimizer", "adam",
    "--lr", 1e-3, "--batch-size", 4, "--max-update", 3, "--log-format", "simple",
    "--no-epoch-checkpoints", "--mask-whole-words", "--sample-break-mode", "complete_doc",
    "--tokens-per-sample", 128,
]  # fmt: skip


@pytest.mark.parametrize("bpe", ["subword_nmt"], indirect=True)
def test_commands(bpe, tmp_path):
    """Training, and validation of a checkpoint, which knows the BPE."""
    spelled, flags = bpe
    line = " ".join(spelled[word] for word in (FIRST, THREE, ONE, TWO))
    data = write_data(tmp_path, [*[line] * 6, "", *[line] * 20, ""] * 4)
    saved = tmp_path / "saved"
    output = succeed("fairseq-train", data, *TRAIN, *flags, "--save-dir", saved)
    assert "valid on 'valid' subset" in output
    checkpoint = saved / "checkpoint_last.pt"
    output = succeed("fairseq-validate", data, *PLUGIN, "--path", checkpoint, "--batch-size", 4)
    assert "loss" in output


def test_error_of_the_command(tmp_path):
    data = write_data(tmp_path, ["ab@@ c d"] * 4)
    flags = ["--bpe", "subword_nmt", "--save-dir", tmp_path / "saved"]
    line = fail("fairseq-train", data, *TRAIN, *flags)
    assert line.startswith("fairseq-memtx: error: --mask-whole-words cannot use --bpe subword_nmt")
