"""``fairseq-memtx convert hf-gpt2``: what Hugging Face predicts, the same tokens, and back."""

import copy
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import fail, succeed
from fairseq.data import Dictionary, indexed_dataset
from hugging_face_folders import (
    MERGES,
    PIECES,
    TEXTS,
    bpe_of,
    folders,
    set_config,
    set_weights,
    set_words,
    write_tokenizer,
)

from fairseq_memtx.commands.main import run
from fairseq_memtx.errors import MemtxError
from fairseq_memtx.memory import load as load_plain
from fairseq_memtx.models.rmt_lm import RmtLanguageModel

CONVERT = ("convert", "hf-gpt2")
END = "<|endoftext|>"
SIZES = {"n_embd": 16, "n_layer": 3, "n_head": 4, "n_positions": 32}
OFFICIAL = [*PIECES, END]
THEIR_OWN = [END, *reversed(PIECES)]


def make(transformers, folder: Path, words: list[str] = OFFICIAL, **settings: Any):
    """Write a small random model, with a tokenizer; the model."""
    end = words.index(END)
    config = transformers.GPT2Config(
        **{"vocab_size": len(words), **SIZES, **settings},
        bos_token_id=end,
        eos_token_id=end,
        attn_implementation="eager",
    )
    torch.manual_seed(1)
    model = transformers.GPT2LMHeadModel(config).eval()
    for weight in model.parameters():
        with torch.no_grad():
            weight.add_(torch.randn_like(weight) * 0.3)
    model.save_pretrained(folder)
    write_tokenizer(folder, {word: row for row, word in enumerate(words)})
    return model


transformers, published, printed, converted, folder = folders("hf-gpt2", make)


def convert(*arguments: object) -> None:
    """Run the command in this process; errors are raised."""
    run([*CONVERT, *map(str, arguments)])


def load(folder: Path, file: str = "model.pt", **overrides: Any):
    """The interface of fairseq to a converted model."""
    hub = RmtLanguageModel.from_pretrained(
        str(folder), file, str(folder), bpe="gpt2", **bpe_of(folder), **overrides
    )
    return hub.eval()


def rows_of(hub, words: list[str]) -> torch.Tensor:
    """Our row of each word of Hugging Face's."""
    numbers = {piece: str(number) for piece, number in hub.bpe.bpe.encoder.items()}
    indices = hub.task.source_dictionary.indices
    return torch.tensor([indices["</s>" if word == END else numbers[word]] for word in words])


def texts(words: int, length: int = 32) -> torch.Tensor:
    """Numbers of words ``B x L``."""
    return torch.randint(words, (3, length), generator=torch.Generator().manual_seed(3))


@torch.no_grad()
def difference(model, hub, words: list[str] = OFFICIAL, dtype=torch.float64) -> float:
    """Between the logarithms of probabilities of all words in all places."""
    ids, ours = texts(len(words)), rows_of(hub, words)
    expected = copy.deepcopy(model).to(dtype)(input_ids=ids).logits
    found, _ = hub.models[0].to(dtype)(src_tokens=ours[ids])
    assert torch.allclose(found[..., ours], expected, rtol=0, atol=1e-5)
    found = found.log_softmax(dim=-1)[..., ours]
    return float((found - expected.log_softmax(dim=-1)).abs().max())


def test_probabilities_are_the_same(published, converted):
    assert difference(published[0], load(converted)) < 1e-9


def test_probabilities_are_the_same_in_float32(published, converted):
    assert difference(published[0], load(converted), dtype=torch.float32) < 1e-5


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (THEIR_OWN, {"n_inner": 24, "activation_function": "relu"}),
        (OFFICIAL, {"tie_word_embeddings": False, "activation_function": "gelu_fast"}),
    ],
    ids=["words in another order", "untied"],
)
def test_other_models_and_back(words, settings, transformers, tmp_path):
    model = make(transformers, tmp_path / "hf", words, **settings)
    convert(tmp_path / "hf", tmp_path / "made")
    assert difference(model, load(tmp_path / "made"), words) < 1e-9
    check_back(transformers, model, tmp_path / "made", tmp_path / "back", words)


def check_back(transformers, model, made: Path, back: Path, words: list[str]) -> None:
    """The way back gives the same logits for the same words."""
    convert(made, back, "--reverse")
    again = transformers.AutoModelForCausalLM.from_pretrained(back, attn_implementation="eager")
    ids = texts(len(words))
    with torch.no_grad():
        same = again.eval()(input_ids=ids).logits - model(input_ids=ids).logits
    assert float(same.abs().max()) < 1e-5
    tokenizer = transformers.GPT2Tokenizer.from_pretrained(back)
    assert tokenizer.convert_tokens_to_ids([END, "Ġworld", "Ċ"]) == [
        words.index(word) for word in (END, "Ġworld", "Ċ")
    ]
    config = json.loads((back / "config.json").read_text())
    for name in [*SIZES, "vocab_size", "resid_pdrop", "attn_pdrop", "eos_token_id"]:
        assert config[name] == getattr(model.config, name), name


def test_and_back(transformers, published, converted, tmp_path):
    check_back(transformers, published[0], converted, tmp_path / "back", OFFICIAL)


def test_old_files(published, folder, tmp_path):
    """Pickled weights in half precision, without a prefix and with what nobody reads."""
    (folder / "model.safetensors").unlink()
    weights = {
        name.removeprefix("transformer."): weight.half()
        for name, weight in published[0].state_dict().items()
        if name != "lm_head.weight"
    }
    weights["h.0.attn.bias"] = torch.ones(1, 1, 32, 32).tril()
    weights["h.0.attn.masked_bias"] = torch.tensor(-1e4)
    torch.save(weights, folder / "pytorch_model.bin")
    convert(folder, tmp_path / "made")
    halved = copy.deepcopy(published[0]).half()
    assert difference(halved, load(tmp_path / "made")) < 1e-9


def test_tokens_are_the_same(transformers, published, converted):
    tokenizer = transformers.GPT2Tokenizer.from_pretrained(published[1])
    hub = load(converted)
    ours = rows_of(hub, OFFICIAL)
    for text in TEXTS[:-1]:
        expected = ours[tokenizer(text)["input_ids"]].tolist()
        assert hub.encode(text).tolist() == [*expected, 2]
        assert hub.decode(hub.encode(text)) == text


def test_what_is_no_word_is_never_predicted(converted):
    """But all else as probably as in Hugging Face's, where a row of zeros would take its share."""
    logits, _ = load(converted).models[0](src_tokens=torch.tensor([[2, 9, 10]]))
    assert torch.all(logits[..., [0, 1, 3]] == -1e4)
    assert torch.all(logits.softmax(dim=-1)[..., [0, 1, 3]] == 0)


def test_dictionary(converted):
    """GPT-2's numbers in the order of the rows, after fairseq's four symbols."""
    dictionary = Dictionary.load(str(converted / "dict.txt"))
    assert dictionary.symbols[4:] == [str(number) for number in range(256 + len(MERGES))]
    encoder = json.loads((converted / "encoder.json").read_text())
    assert [encoder[piece] for piece in (".", ",", "Ġ")] == [13, 11, 220]  # as in every GPT-2


@pytest.fixture(scope="module")
def data(converted, tmp_path_factory) -> Path:
    """Text of random pieces, binarised with the dictionary."""
    folder = tmp_path_factory.mktemp("pieces")
    shutil.copy(converted / "dict.txt", folder)
    dictionary = Dictionary.load(str(converted / "dict.txt"))
    numbers = torch.Generator().manual_seed(1)
    for split in ("train", "valid"):
        builder = indexed_dataset.make_builder(
            str(folder / f"{split}.bin"), "mmap", len(dictionary)
        )
        for length in (300, 100):
            text = torch.randint(4, len(dictionary), (length,), generator=numbers)
            builder.add_item(torch.cat([text, torch.tensor([2])]))
        builder.finalize(str(folder / f"{split}.idx"))
    return folder


PLUGIN = ("--user-dir", "fairseq_memtx", "--task", "rmt_language_modeling")


def test_losses_are_the_same(published, converted, data):
    """Of a text in segments as long as there are positions, of which each begins anew."""
    output = succeed(
        "fairseq-eval-lm", data, *PLUGIN, "--path", converted / "model.pt", "--cpu",
        "--gen-subset", "valid",
    )  # fmt: skip
    text = indexed_dataset.make_dataset(str(data / "valid"), "mmap")
    tokens = torch.cat([torch.as_tensor(text[i]) for i in range(len(text))]).long()
    theirs = torch.where(tokens == 2, OFFICIAL.index(END), tokens - 4)
    reads = torch.cat([torch.tensor([OFFICIAL.index(END)]), theirs[:-1]])
    total = 0.0
    for part in range(0, len(theirs), 32):
        with torch.no_grad():
            logits = published[0](input_ids=reads[None, part : part + 32]).logits[0]
        loss = torch.nn.functional.cross_entropy(logits, theirs[part : part + 32], reduction="sum")
        total += float(loss)
    found = float(re.search(r"Loss \(base 2\): ([\d.]+)", output)[1])
    expected = total / len(theirs) / torch.log(torch.tensor(2.0)).item()
    assert found == pytest.approx(expected, abs=1e-3)


def test_interactive_writes_what_hugging_face_writes(transformers, published, converted, tmp_path):
    """Text goes in and comes out, offline."""
    output = succeed(
        "fairseq-interactive", converted, *PLUGIN, "--path", converted / "model.pt", "--cpu",
        "--bpe", "gpt2", "--gpt2-encoder-json", converted / "encoder.json",
        "--gpt2-vocab-bpe", converted / "vocab.bpe", "--beam", 1, "--max-len-b", 20,
        input="the world in\n",
    )  # fmt: skip
    tokenizer = transformers.GPT2Tokenizer.from_pretrained(published[1])
    prompt = tokenizer(END + "the world in", return_tensors="pt")["input_ids"]
    written = published[0].generate(
        prompt, do_sample=False, max_length=21, pad_token_id=OFFICIAL.index(END)
    )[0]
    numbers = json.loads((converted / "encoder.json").read_text())
    expected = " ".join(str(numbers[OFFICIAL[row]]) for row in written[1:])
    found = re.search(r"^H-0\t\S+\t(.*)$", output, re.MULTILINE)[1]
    assert expected.startswith(found)
    assert len(found.split()) >= 20 or found == expected.removesuffix(f" {numbers[END]}")


RESTORE = ["--reset-optimizer", "--reset-dataloader", "--reset-meters", "--restore-file"]


def train(data: Path, printed: str, saved: Path, *more: object) -> str:
    """A short training with the flags that were printed."""
    flags = next(line.split() for line in printed.splitlines() if line.startswith("  --"))
    return succeed(
        "fairseq-train", data, *PLUGIN, "--arch", "rmt_lm", *flags, "--cpu", "--num-workers", 0,
        "--tokens-per-sample", 16, "--batch-size", 4, "--criterion", "cross_entropy",
        "--optimizer", "adam", "--lr", 1e-3, "--max-update", 3, "--log-format", "simple",
        "--log-interval", 1, "--save-dir", saved, *more,
    )  # fmt: skip


def test_in_plain_pytorch(published, converted, tmp_path):
    """What ``fairseq-memtx export`` makes of it predicts the same."""
    run(["export", str(converted / "model.pt"), str(tmp_path / "plain")])
    ids, ours = texts(len(OFFICIAL)), rows_of(load(converted), OFFICIAL)
    with torch.no_grad():
        found, _ = load_plain(tmp_path / "plain")(ours[ids])
        expected = published[0](input_ids=ids).logits
    torch.testing.assert_close(
        found.log_softmax(dim=-1)[..., ours], expected.log_softmax(dim=-1), rtol=0, atol=1e-5
    )


@pytest.mark.training
@pytest.mark.parametrize(
    ("start", "memory"),
    [(["--finetune-from-model"], "none"), (RESTORE, "none"), (RESTORE, "associative")],
)
def test_memory_is_added_and_it_trains_on(start, memory, printed, data, tmp_path):
    converted, words = printed
    output = train(
        data, words, tmp_path / "saved", "--memory-tokens", 4, "--window-segments", 2,
        "--layer-memory", memory, *start, converted / "model.pt",
    )  # fmt: skip
    assert ("the checkpoint has no layer memory" in output) == (memory == "associative")
    assert f"Loaded checkpoint {converted / 'model.pt'}" in output
    assert "0 memory tokens come from the checkpoint and 4 are newly initialised" in output
    with pytest.raises(MemtxError, match="has 4 memory tokens, for which Hugging Face's GPT-2 has"):
        convert(tmp_path / "saved/checkpoint_last.pt", tmp_path / "back", "--reverse")


@pytest.mark.training
def test_what_was_trained_on_goes_back(transformers, printed, data, tmp_path):
    """Without memory, by the tokenizer of the folder it came from."""
    converted, words = printed
    checkpoint = tmp_path / "saved/checkpoint_last.pt"
    train(
        data, words, tmp_path / "saved", "--memory-tokens", 0,
        "--tokens-per-sample", 32, "--finetune-from-model", converted / "model.pt",
    )  # fmt: skip
    with pytest.raises(MemtxError, match=r"has neither vocab\.json and merges\.txt"):
        convert(checkpoint, tmp_path / "back", "--reverse")
    convert(checkpoint, tmp_path / "back", "--reverse", "--tokenizer", converted)
    for file in ("encoder.json", "vocab.bpe", "dict.txt"):
        shutil.copy(converted / file, tmp_path / "saved")
    model = transformers.GPT2LMHeadModel.from_pretrained(
        tmp_path / "back", attn_implementation="eager"
    )
    hub = load(tmp_path / "saved", "checkpoint_last.pt")
    assert difference(model.eval(), hub) < 1e-9


# --- warnings and refusals -----------------------------------------------------------------------


def test_what_differs_is_told(folder, tmp_path, capsys):
    set_config(folder, layer_norm_epsilon=1e-6, embd_pdrop=0.2)
    convert(folder, tmp_path / "made")
    assert capsys.readouterr().err.splitlines() == [
        "warning: layer_norm_epsilon is 1e-06, fairseq's 1e-05: results differ a little",
        "warning: embd_pdrop 0.2 was left out: fairseq has one --dropout, 0.1",
    ]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: shutil.rmtree(f), "there is no folder"),
        (lambda f: (f / "config.json").unlink(), "config.json: give the folder of a Hugging"),
        (lambda f: set_config(f, model_type="gpt_neo"), "model_type gpt_neo: fairseq's GPT-2 only"),
        (lambda f: set_config(f, activation_function="silu"), "activation_function silu: fairseq"),
        (lambda f: set_config(f, scale_attn_weights=False), "scale_attn_weights False"),
        (lambda f: set_config(f, scale_attn_by_inverse_layer_idx=True), "inverse_layer_idx True"),
        (lambda f: set_config(f, reorder_and_upcast_attn=True), "reorder_and_upcast_attn True"),
        (lambda f: set_config(f, add_cross_attention=True), "add_cross_attention True"),
        (lambda f: set_config(f, n_embd=None), "has no number n_embd"),
        (lambda f: set_config(f, n_inner="wide"), "has n_inner wide"),
        (lambda f: set_config(f, attn_pdrop=2), "attn_pdrop 2: correct it"),
        (lambda f: set_config(f, n_head=5), "n_head 5 that does not divide n_embd"),
        (lambda f: set_config(f, n_layer=4), r"has no transformer\.h\.3\.attn\.c_attn\.weight"),
        (lambda f: set_config(f, n_layer=2), r"cannot be converted: transformer\.h\.2"),
        (lambda f: set_config(f, n_inner=32), r"fc1.bias has the shape \(64,\)"),
        (lambda f: set_config(f, n_positions=64), r"positions.weight has the shape \(34, 16\)"),
        (lambda f: set_config(f, vocab_size=9), "vocab.json has 268 words, .* vocab_size of 9"),
        (lambda f: (f / "merges.txt").unlink(), "neither vocab.json and merges.txt nor"),
        (lambda f: set_words(f, {"a": 0}), "vocab.json has no <|endoftext|>: it is not GPT-2's"),
        (lambda f: set_words(f, {END: 0, "<pad>": 1}), "has the word <pad>, which is no byte"),
        (lambda f: (f / "model.safetensors").unlink(), "neither model.safetensors nor pytorch_mod"),
        (lambda f: set_weights(f, transformer__wte__weight=torch.ones(9, 16)), r"shape \(9, 16\)"),
        (lambda f: set_weights(f, lm_head__weight=torch.ones(268, 16)), "lm_head.weight of its"),
        (lambda f: set_weights(f, q=torch.ones(9).int()), "has q in torch.int32: it is"),
        (lambda f: set_weights(f, transformer__ln_f__bias=torch.ones(16) / 0), "ln_f.bias has"),
        (lambda f: set_weights(f, score__weight=torch.ones(2, 16)), "converted: score.weight"),
        (lambda f: set_config(f, tie_word_embeddings=False), "has no lm_head.weight"),
    ],
)  # fmt: skip
def test_refusals(spoil, says, folder, tmp_path):
    spoil(folder)
    with pytest.raises(MemtxError, match=says.replace("<|", r"<\|").replace("|>", r"\|>")) as error:
        convert(folder, tmp_path / "made")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("made*"))


def set_flag(folder: Path, name: str, value: Any) -> None:
    """Change a setting of a checkpoint; ``...`` takes it out."""
    state = torch.load(folder / "model.pt", weights_only=False)
    state["cfg"]["model"][name] = value
    if value is ...:
        del state["cfg"]["model"][name]
    torch.save(state, folder / "model.pt")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "model.pt").unlink(), r"there is no file .*model\.pt"),
        (lambda f: (f / "vocab.json").unlink(), "has neither vocab.json"),
        (lambda f: set_flag(f, "backbone", "transformer-xl"), "--backbone transformer-xl, and"),
        (lambda f: set_flag(f, "no_scale_embedding", False), "--no-scale-embedding False, and a"),
        (lambda f: set_flag(f, "activation_fn", "linear"), "--activation-fn linear, which no"),
        (lambda f: set_flag(f, "no_decoder_final_norm", True), "--no-decoder-final-norm True"),
        (lambda f: set_flag(f, "predict_words_only", ...), "--predict-words-only None, and a"),
        (lambda f: set_flag(f, "_name", "transformer_lm"), "is no rmt_lm: only such a model"),
    ],
)  # fmt: skip
def test_refusals_on_the_way_back(spoil, says, converted, tmp_path):
    made = Path(shutil.copytree(converted, tmp_path / "made"))
    spoil(made)
    with pytest.raises(MemtxError, match=says) as error:
        convert(made, tmp_path / "back", "--reverse")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("back*"))


def test_what_is_there_stays(converted, folder, tmp_path):
    (tmp_path / "made").mkdir()
    for source, more in ((folder, []), (converted, ["--reverse"])):
        with pytest.raises(MemtxError, match="made exists: delete it, or give another name"):
            convert(source, tmp_path / "made", *more)
    assert not list((tmp_path / "made").iterdir())


def test_flags_that_do_not_fit(folder, tmp_path):
    line = fail("fairseq-memtx", *CONVERT, folder, tmp_path / "made", "--tokenizer", folder)
    assert "--tokenizer is for --reverse: FOLDER has its own" in line
