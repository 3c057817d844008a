"""``fairseq-memtx write``: what a model goes on with, read anew for every token."""

import io
import sys
from argparse import Namespace

import pytest
import torch
from conftest import memtx
from fairseq import checkpoint_utils
from fairseq.data import Dictionary
from generation.saved_models import save_model
from generation.test_plain_text import write_record

from fairseq_memtx.modules import vocabulary_product
from fairseq_memtx.modules.vocabulary_product import LaidOutProduct

RMT = "--task rmt_language_modeling --tokens-per-sample 8 --arch "
SMALL = " --decoder-layers 2 --decoder-embed-dim 16 --decoder-ffn-embed-dim 16"
SMALL += " --decoder-attention-heads 2"
MODELS = {
    "rmt": RMT + "rmt_lm_tiny --cache-length 5",
    "rmt on fairseq's layers": RMT + "rmt_lm_tiny --backbone transformer --dropout 0",
    "armt": RMT + "armt_lm_tiny",
    "adaptive softmax": RMT + "rmt_lm_tiny --adaptive-softmax-cutoff 10,15 "
    "--criterion segment_cross_entropy",
    "fairseq's": "--task language_modeling --tokens-per-sample 64 --arch transformer_lm" + SMALL,
}


@pytest.fixture(params=MODELS)
def model(request, tmp_path):
    """Folder with ``model.pt``, which was trained on characters there."""
    return saved(tmp_path, MODELS[request.param])


@pytest.fixture
def rmt(tmp_path):
    return saved(tmp_path, MODELS["rmt"])


def saved(folder, flags: str):
    dictionary = Dictionary()
    for character in "abcdefghijklm._:":
        dictionary.add_symbol(character)
    dictionary.add_symbol("madeupword0000")
    dictionary.save(str(folder / "dict.txt"))
    write_record(folder, unit="characters")
    save_model(folder, folder / "model.pt", *flags.split())
    return folder


def written(capsys, *arguments) -> str:
    assert memtx("write", *arguments, "--cpu") == 0
    return capsys.readouterr().out


def read_anew(folder, prompt: str, length: int) -> str:
    """The likeliest text, for every token of which the whole text is read from its beginning."""
    (model,), _, task = checkpoint_utils.load_model_ensemble_and_task([str(folder / "model.pt")])
    symbols = task.source_dictionary
    tokens = [symbols.eos(), *(symbols.index(c.replace(" ", "_")) for c in prompt)]
    for _ in range(length):
        with torch.no_grad():
            output = model.eval()(torch.tensor([tokens]))
        scores = model.get_normalized_probs(output, log_probs=True)[0, -1]
        scores[[symbols.pad(), symbols.index("madeupword0000")]] = -torch.inf
        tokens.append(int(scores.argmax()))
    text = "".join(symbols[token] for token in tokens[1:])
    return text.replace("_", " ").replace("</s>", "\n")


def test_the_likeliest_text(model, capsys):
    """Through several segments; the prompt is longer than one."""
    prompt = "abc def: ghi jkl"
    text = written(capsys, model / "model.pt", prompt, "--greedy", "--length", 30)
    assert text == read_anew(model, prompt, 30) + "\n"
    assert len(text) == len(prompt) + 31 or "<" in text


def test_the_vocabulary_is_laid_out_for_all_that_is_written(model, request, capsys, monkeypatch):
    made = []
    monkeypatch.setattr(vocabulary_product, "WORTH_IT", 0)
    monkeypatch.setattr(
        vocabulary_product, "LaidOutProduct",
        lambda linear: made.append(LaidOutProduct(linear)) or made[-1],
    )  # fmt: skip
    text = written(capsys, model / "model.pt", "abc def", "--greedy", "--length", 20)
    assert text == read_anew(model, "abc def", 20) + "\n"
    adaptive = "adaptive" in request.node.callspec.params["model"]  # has no such product
    assert [product._laid_out is not None for product in made] == [True] * (not adaptive)


def test_seeds(rmt, capsys):
    flags = [rmt / "model.pt", "abc", "--top-k", 8, "--top-p", 0.9, "--temperature", 1.5]
    texts = [written(capsys, *flags, *seed) for seed in (["--seed", 1], ["--seed", 1], [], [])]
    assert texts[0] == texts[1]
    assert len(set(texts)) == 3
    assert all(text.startswith("abc") for text in texts)


def test_a_text_from_standard_input_and_none(rmt, capsys, monkeypatch):
    expected = written(capsys, rmt / "model.pt", "abc\nde", "--greedy", "--length", 5)
    monkeypatch.setattr(sys, "stdin", Namespace(buffer=io.BytesIO(b"abc\nde\n")))
    assert written(capsys, rmt / "model.pt", "-", "--greedy", "--length", 5) == expected
    assert (
        written(capsys, rmt / "model.pt", "--greedy", "--length", 5) == read_anew(rmt, "", 5) + "\n"
    )


def test_it_ends_with_the_line_where_that_is_asked_for(rmt, capsys):
    whole = written(capsys, rmt / "model.pt", "abc", "--seed", 2, "--length", 300)
    assert whole.count("\n") > 2
    line = written(capsys, rmt / "model.pt", "abc", "--seed", 2, "--length", 300, "--one-line")
    assert line == whole.split("\n")[0] + "\n"


def test_the_data_folder_is_elsewhere(rmt, tmp_path_factory, capsys):
    """Given, or beside the checkpoint, or not to be found."""
    flags = ["abc", "--greedy", "--length", 5]
    expected = written(capsys, rmt / "model.pt", *flags)
    moved = tmp_path_factory.mktemp("moved") / "folder"
    rmt.rename(moved)
    assert written(capsys, moved / "model.pt", *flags) == expected
    alone = tmp_path_factory.mktemp("alone") / "model.pt"
    (moved / "model.pt").rename(alone)
    assert written(capsys, alone, *flags, "--data", moved) == expected
    assert memtx("write", alone, *flags) == 1
    line = capsys.readouterr().err
    assert line.endswith("give the data folder of the training with --data\n")
    assert str(rmt) in line


def test_words_have_spaces_between_them(rmt, capsys):
    """Those at the end of a prompt are no tokens."""
    write_record(rmt, unit="words")
    text = written(capsys, rmt / "model.pt", "a b  ", "--greedy", "--length", 3)
    assert text.startswith("a b ")
    assert text.split()[:2] == ["a", "b"]
    assert "  " not in text


def test_a_prompt_that_is_unknown_is_told(rmt, caplog):
    assert memtx("write", rmt / "model.pt", "XYZ", "--length", 1, "--cpu") == 0
    assert "say with --unit how that text was cut" in caplog.text


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--greedy", "--top-k", "3"], "--greedy draws nothing, so that --top-k would change"),
        (["--top-p", "1.5"], "--top-p"),
        (["--temperature", "0"], "--temperature"),
        (["--length", "0"], "--length"),
    ],
)
def test_flags_that_make_no_sense(flags, says, capsys, tmp_path):
    with pytest.raises(SystemExit) as end:
        memtx("write", tmp_path / "model.pt", "abc", *flags)
    line = capsys.readouterr().err
    assert end.value.code == 2
    assert says in line
    assert line.count("\n") == 1


def test_text_that_is_none(capsys, tmp_path):
    with pytest.raises(SystemExit):
        memtx("write", tmp_path / "model.pt", "\udcff")
    assert "TEXT is not UTF-8" in capsys.readouterr().err


def test_positions_run_out(tmp_path, capsys):
    folder = saved(tmp_path, MODELS["fairseq's"])
    assert memtx("write", folder / "model.pt", "abc", "--length", 61, "--cpu") == 0
    assert memtx("write", folder / "model.pt", "abc", "--length", 62, "--cpu") == 1
    line = capsys.readouterr().err
    assert "with --length 62 more than the 64" in line
    assert line.count("\n") == 1


def test_a_model_that_writes_no_text(tmp_path, capsys):
    flags = "--task facts_in_noise --arch rmt_lm_tiny --tokens-per-sample 32"
    save_model(None, tmp_path / "model.pt", *flags.split())
    assert memtx("write", tmp_path / "model.pt", "abc") == 1
    line = capsys.readouterr().err
    assert "was trained with --task facts_in_noise: " in line
