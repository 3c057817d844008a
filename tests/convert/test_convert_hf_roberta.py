"""``fairseq-memtx convert hf-roberta``: what Hugging Face predicts, and the same tokens."""

import json
import random
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import fail, memtx, succeed
from fairseq import modules
from fairseq.data import Dictionary, indexed_dataset
from fairseq.models.roberta import RobertaModel
from hugging_face_folders import (
    MERGES,
    PIECES,
    TEXTS,
    bpe_of,
    folders,
    join_files,
    set_config,
    set_weights,
    set_words,
    write_tokenizer,
)

from fairseq_memtx.commands.main import run
from fairseq_memtx.errors import MemtxError
from fairseq_memtx.models.gmat_roberta import GmatRobertaModel

CONVERT = ("convert", "hf-roberta")
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "max_position_embeddings": 34,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-5,
}


def vocabulary(order: str = "official") -> dict[str, int]:
    """Words by their row: where Hugging Face has them, or as some who train their own put them."""
    pieces = [*PIECES, "<|endoftext|>", "madeupword0000"]
    random.Random(1).shuffle(pieces)  # the most frequent come first, as in fairseq's dictionary
    if order == "official":
        words = ["<s>", "<pad>", "</s>", "<unk>", *pieces, "<mask>"]
    else:
        words = ["<unk>", "</s>", "<mask>", "<pad>", "<s>", *pieces]
    return {word: row for row, word in enumerate(words)}


def make(transformers, folder: Path, order: str = "official", **settings: Any):
    """Write a small random model, with a tokenizer; the model."""
    words = vocabulary(order)
    tokens = {"bos": words["<s>"], "pad": words["<pad>"], "eos": words["</s>"]}
    numbers = {f"{name}_token_id": row for name, row in tokens.items()}
    config = transformers.RobertaConfig(
        **{"vocab_size": len(words), **SIZES, **numbers, **settings}, attn_implementation="eager"
    )
    torch.manual_seed(1)
    model = transformers.RobertaForMaskedLM(config).eval()
    for name, weight in model.named_parameters():
        with torch.no_grad():
            weight.add_(torch.randn_like(weight) * 0.3)
            if "position" in name or "token_type" in name:
                weight.mul_(256).round_().div_(256)  # so that their sum is exact in float32
    model.save_pretrained(folder)
    write_tokenizer(folder, words)
    return model


transformers, published, printed, converted, folder = folders("hf-roberta", make)


def convert(folder: Path, dest: Path) -> None:
    """Run the command in this process; errors are raised."""
    run([*CONVERT, str(folder), str(dest)])


def load(folder: Path, kind=RobertaModel):
    """The interface of fairseq to a converted model."""
    return kind.from_pretrained(str(folder), **bpe_of(folder)).eval()


def rows(pad: int, bos: int, eos: int, words: int) -> torch.Tensor:
    """Numbers of words ``B x L`` of documents of three lengths, the longest a whole model long."""
    generator = torch.Generator().manual_seed(3)
    lines = [torch.randint(5, words, (length - 2,), generator=generator) for length in (32, 17, 3)]
    lines = [torch.tensor([bos, *line.tolist(), eos]) for line in lines]
    return torch.nn.utils.rnn.pad_sequence(lines, batch_first=True, padding_value=pad)


@torch.no_grad()
def difference(model, hub, order: str = "official") -> float:
    """Between the predictions of all words in all places that are not padding, in float64."""
    words = vocabulary(order)
    ids = rows(words["<pad>"], words["<s>"], words["</s>"], len(words))
    mask = ids.ne(words["<pad>"])
    expected = model.double()(input_ids=ids, attention_mask=mask.long()).logits
    symbols = spelled(hub)
    ours = torch.tensor([symbols.index(word) for word in sorted(words, key=words.get)])
    found, _ = hub.model.double()(src_tokens=ours[ids])
    return float((found[..., ours] - expected)[mask].abs().max())


def spelled(hub) -> list[str]:
    """The words of our rows as Hugging Face spells them."""
    pieces = {str(number): piece for piece, number in hub.bpe.bpe.encoder.items()}
    return [pieces.get(symbol, symbol) for symbol in hub.task.source_dictionary.symbols]


@pytest.fixture
def exact_gelu(monkeypatch):
    """That of fairseq computes in float32 whatever it is given."""
    monkeypatch.setattr(modules, "gelu", torch.nn.functional.gelu)


def test_predictions_are_the_same(published, converted, exact_gelu):
    assert difference(published[0], load(converted)) < 1e-9


def test_predictions_are_the_same_with_fairseqs_own_gelu(published, converted):
    assert difference(published[0], load(converted)) < 1e-5


@pytest.mark.parametrize(
    ("order", "settings"),
    [("their own", {"max_position_embeddings": 36}), ("official", {"tie_word_embeddings": False})],
    ids=["words in another order", "untied"],
)
def test_other_models(order, settings, transformers, exact_gelu, tmp_path):
    model = make(transformers, tmp_path / "hf", order, **settings)
    convert(tmp_path / "hf", tmp_path / "made")
    hub = load(tmp_path / "made")
    assert difference(model, hub, order) < 1e-9
    # Of the rows, those up to that of padding belong to no position.
    assert hub.model.max_positions() == 32


def test_old_files(published, folder, tmp_path, exact_gelu):
    """Pickled weights in half precision with what nobody reads, and tokenizers of either kind."""
    (folder / "model.safetensors").unlink()
    weights = {name: weight.half() for name, weight in published[0].state_dict().items()}
    weights["roberta.embeddings.position_ids"] = torch.arange(34).unsqueeze(0)
    weights["roberta.pooler.dense.weight"] = torch.ones(16, 16)
    torch.save(weights, folder / "pytorch_model.bin")
    convert(folder, tmp_path / "made")
    assert difference(published[0], load(tmp_path / "made")) < 0.1


def test_tokens_are_the_same(transformers, published, converted, folder, tmp_path):
    """From ``vocab.json`` and ``merges.txt``, and from what transformers writes today."""
    tokenizer = transformers.RobertaTokenizer.from_pretrained(published[1])
    for name in ("vocab.json", "merges.txt"):
        (folder / name).unlink()
    tokenizer.save_pretrained(folder)
    assert (folder / "tokenizer.json").exists()
    convert(folder, tmp_path / "made")
    for made in (converted, tmp_path / "made"):
        hub = load(made)
        for text in TEXTS:
            expected = tokenizer(text)["input_ids"]
            assert hub.encode(text).tolist() == expected
            assert hub.decode(hub.encode(text)) == text
    assert (made / "dict.txt").read_text() == (converted / "dict.txt").read_text()


def test_merges_that_are_lines_of_one_file(converted, folder, tmp_path):
    join_files(folder)
    convert(folder, tmp_path / "made")
    for name in ("dict.txt", "encoder.json", "vocab.bpe"):
        assert (tmp_path / "made" / name).read_text() == (converted / name).read_text()


def test_dictionary(converted):
    """As fairseq has it: GPT-2's numbers in the order of the rows, and no ``<mask>``."""
    dictionary = Dictionary.load(str(converted / "dict.txt"))
    assert len(dictionary) == len(vocabulary()) - 1
    encoder = json.loads((converted / "encoder.json").read_text())
    assert [encoder[piece] for piece in PIECES] == list(range(256 + len(MERGES)))
    assert encoder["<|endoftext|>"] == 256 + len(MERGES)
    assert [encoder[piece] for piece in (".", ",", "Ġ")] == [13, 11, 220]  # as in every GPT-2
    for word, row in vocabulary().items():
        if word != "<mask>":
            assert dictionary[row] == str(encoder.get(word, word))


def test_without_memory_gmat_is_the_same(published, converted, exact_gelu, tmp_path):
    """`gmat_roberta` around the same weights."""
    state = torch.load(converted / "model.pt")
    settings = {"arch": "gmat_roberta", "memory_tokens": 0, "sparse_attention": "none"}
    vars(state["cfg"]["model"]).update(_name="gmat_roberta", **settings)
    dense = shutil.copytree(converted, tmp_path / "dense")
    torch.save(state, dense / "model.pt")
    hub = load(dense, GmatRobertaModel)
    assert isinstance(hub.model, GmatRobertaModel)
    assert difference(published[0], hub) < 1e-9


RESTORE = ["--reset-optimizer", "--reset-dataloader", "--reset-meters", "--restore-file"]


@pytest.mark.parametrize("start", [["--finetune-from-model"], RESTORE])
def test_commands_start_from_it(start, printed, tmp_path):
    """With the flags that are printed, longer documents and a memory."""
    converted, output = printed
    flags = next(line.split() for line in output.splitlines() if line.startswith("  --"))
    dictionary = Dictionary.load(str(converted / "dict.txt"))
    shutil.copy(converted / "dict.txt", tmp_path)
    for split in ("train", "valid"):
        path = str(tmp_path / split)
        builder = indexed_dataset.make_builder(f"{path}.bin", "mmap", len(dictionary))
        for _ in range(8):
            builder.add_item(dictionary.dummy_sentence(60))
        builder.finalize(f"{path}.idx")
    output = succeed(
        "fairseq-train", tmp_path, "--user-dir", "fairseq_memtx", "--task", "masked_lm",
        "--criterion", "masked_lm", "--arch", "gmat_roberta", *flags,
        "--max-positions", 64, "--tokens-per-sample", 64, "--memory-tokens", 2, "--chunk-size", 8,
        "--cpu", "--num-workers", 0, "--optimizer", "adam", "--lr", 1e-4, "--batch-size", 4,
        "--max-update", 1, "--save-dir", tmp_path / "saved", "--log-format", "simple",
        *start, converted / "model.pt",
    )  # fmt: skip
    assert f"Loaded checkpoint {converted / 'model.pt'}" in output


def test_a_model_that_predicts_no_words(published, tmp_path, capsys, exact_gelu):
    """Its features are the same, and the layers on top begin as fairseq's."""
    model, folder = published
    base = Path(shutil.copytree(folder, tmp_path / "base"))
    model.roberta.save_pretrained(base)
    convert(base, tmp_path / "made")
    assert "warning: there are no layers that predict words" in capsys.readouterr().err
    hub = load(tmp_path / "made")
    ids = rows(1, 0, 2, len(vocabulary()))
    with torch.no_grad():
        expected = model.double().roberta(input_ids=ids, attention_mask=ids.ne(1).long())
        found = hub.double().extract_features(ids)
    assert float((found - expected.last_hidden_state)[ids.ne(1)].abs().max()) < 1e-9
    head = hub.model.encoder.lm_head
    assert head.weight is hub.model.encoder.sentence_encoder.embed_tokens.weight
    assert 0.01 < float(head.dense.weight.std()) < 0.03


# --- warnings and refusals -----------------------------------------------------------------------


def test_what_differs_is_told(folder, tmp_path, capsys):
    set_config(folder, layer_norm_eps=1e-12)
    (folder / "tokenizer_config.json").write_text('{"add_prefix_space": true}')
    convert(folder, tmp_path / "made")
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("warning: ")] == [
        "warning: layer_norm_eps is 1e-12, fairseq's 1e-05: results differ a little",
        "warning: token types other than 0 were left out, as fairseq has none",
        "warning: the tokenizer puts a space before each text, fairseq's does not: add it",
    ]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: shutil.rmtree(f), "there is no folder"),
        (lambda f: (f / "config.json").unlink(), "config.json: give the folder of a Hugging"),
        (lambda f: (f / "config.json").write_text('{"hidden'), "config.json is cut off"),
        (lambda f: set_config(f, model_type="bert"), "model_type bert: fairseq's .* only knows"),
        (lambda f: set_config(f, hidden_act="gelu_new"), "hidden_act gelu_new"),
        (lambda f: set_config(f, is_decoder=True), "is_decoder True"),
        (lambda f: set_config(f, position_embedding_type="relative_key"), "relative_key"),
        (lambda f: set_config(f, hidden_size=None), "has no number hidden_size"),
        (lambda f: set_config(f, num_attention_heads=5), "do not divide hidden_size"),
        (lambda f: set_config(f, num_hidden_layers=4), r"does not fit config.json: .*layers\.3\."),
        (lambda f: set_config(f, intermediate_size=32), r"fc1.bias has the shape \(24,\)"),
        (lambda f: set_config(f, hidden_size=32), r"has .*word_embeddings.weight of the shape"),
        (lambda f: set_config(f, max_position_embeddings=514), "position_embeddings.weight of the"),
        (lambda f: set_config(f, vocab_size=9), "vocab.json has 274 words, .* vocab_size of 9"),
        (lambda f: set_config(f, pad_token_id=3), "has <pad> in row 1, and config.json"),
        (lambda f: (f / "merges.txt").unlink(), "neither vocab.json and merges.txt nor"),
        (lambda f: (f / "merges.txt").write_text("a b c\n"), "the merge 'a b c', which is no pair"),
        (lambda f: join_files(f, ["a b c"]), "tokenizer.json has the merge 'a b c', which is no"),
        (lambda f: (f / "merges.txt").write_text("h e\n"), "vocab.json has the word .*, which"),
        (lambda f: (f / "vocab.json").write_text("[1, 2]"), "vocab.json is not the tokenizer of a"),
        (lambda f: set_words(f, {"<s>": 0}), "vocab.json has no <pad>: it is not RoBERTa's"),
        (lambda f: (f / "model.safetensors").unlink(), "neither model.safetensors nor pytorch_mod"),
        (lambda f: (f / "model.safetensors").write_bytes(b"x" * 9), "model.safetensors is cut off"),
        (lambda f: set_weights(f, lm_head__dense__bias=None), "has no lm_head.dense.bias"),
        (lambda f: set_weights(f, lm_head__decoder__bias=torch.ones(274)), "bias of its own"),
        (lambda f: set_weights(f, classifier__dense__bias=torch.ones(9)), "converted: classif"),
        (lambda f: set_weights(f, q=torch.ones(9, dtype=torch.int8)), "has q in torch.int8"),
        (lambda f: set_config(f, tie_word_embeddings=False), "has no lm_head.decoder.weight"),
    ],
)  # fmt: skip
def test_refusals(spoil, says, folder, tmp_path):
    spoil(folder)
    with pytest.raises(MemtxError, match=says) as error:
        convert(folder, tmp_path / "made")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("made*"))


def test_weights_that_could_run_code(folder, tmp_path):
    (folder / "model.safetensors").unlink()
    torch.save({"weight": torch.nn.Linear(1, 1)}, folder / "pytorch_model.bin")
    with pytest.raises(MemtxError, match=r"is refused, since it holds .*Linear"):
        convert(folder, tmp_path / "made")


def test_without_safetensors(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    assert memtx(*CONVERT, folder, tmp_path / "made") == 1
    told = "fairseq-memtx: error: safetensors is missing: pip install safetensors\n"
    assert capsys.readouterr().err == told


def test_a_folder_is_whole_or_not_there(folder, tmp_path, monkeypatch):
    dest = tmp_path / "made"
    (tmp_path / "made.partial").mkdir()
    (tmp_path / "made.partial/left.pt").touch()

    def full(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        with pytest.raises(OSError, match="the disk is full"):
            convert(folder, dest)
    assert not list(tmp_path.glob("made*"))
    (tmp_path / "made.partial").mkdir()
    convert(folder, dest)
    names = ["dict.txt", "encoder.json", "model.pt", "vocab.bpe"]
    assert sorted(path.name for path in dest.iterdir()) == names
    assert not (tmp_path / "made.partial").exists()
    with pytest.raises(MemtxError, match="made exists: delete it, or give another name"):
        convert(folder, dest)


def test_errors_are_one_line(tmp_path):
    line = fail("fairseq-memtx", *CONVERT, tmp_path, tmp_path / "made")
    assert line.startswith(f"fairseq-memtx: error: there is no file {tmp_path / 'config.json'}")
