"""``fairseq-memtx plot memory``: what is recorded of each variant, what is drawn, clear errors."""

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SMALL, VARIANTS, batch, build, fail, succeed, words
from fairseq.data.indexed_dataset import MMapIndexedDatasetBuilder
from matplotlib.image import imread

from fairseq_memtx.commands.main import run
from fairseq_memtx.errors import MemtxError
from fairseq_memtx.pictures.memory import choose, draw
from fairseq_memtx.pictures.memory_attention import LayerAttention, read_attention

PLOT = ("plot", "memory")
M, T = 3, 6
KEYS = {  # of a source token
    "tokens": M + T,
    "controller": M + T,
    "shared-controller": M + T,
    "bottleneck": M,
    "bottleneck-skip": M + 1,
}


def read(variant: str) -> list[LayerAttention]:
    return read_attention(build(variant, M).encoder, batch(T)[0])


@pytest.mark.parametrize("variant", VARIANTS)
def test_rows_sum_to_one(variant):
    layers = read(variant)
    assert len(layers) == 2
    for layer in layers:
        assert layer.source.shape == (T, KEYS[variant])
        assert layer.memory.shape == (M, M + T)
        for weights in (layer.source, layer.memory):
            torch.testing.assert_close(weights.sum(dim=1), torch.ones(len(weights)))
        assert layer.reads_itself == (variant == "bottleneck-skip")


@pytest.mark.parametrize("variant", VARIANTS)
def test_layers_have_weights_of_their_own(variant):
    """Also where one controller serves all of them."""
    first, second = read(variant)
    assert not torch.allclose(first.memory, second.memory)
    assert not torch.allclose(first.source, second.source)


def test_memory_reads_what_its_first_layer_is_given():
    """Recomputed by hand from the embedded input, with the shared controller."""
    encoder, tokens = build("shared-controller", M).encoder, batch(T)
    places = encoder._with_places(tokens, encoder.dictionary.bos())
    x = encoder.forward_embedding(places)[0].transpose(0, 1)
    _, expected = encoder.memory_controller.self_attn(x[:M], x, x, need_weights=True)
    first, _ = read_attention(encoder, tokens[0])
    torch.testing.assert_close(first.memory.double(), expected[0], rtol=0, atol=1e-6)


def picture(figure, path: Path) -> tuple[int, int]:
    """Height and width of the saved picture, which is not blank."""
    figure.savefig(path, dpi=50)
    pixels = imread(path)
    assert pixels.std() > 0.01
    return pixels.shape[:2]


@pytest.mark.parametrize("variant", VARIANTS)
def test_two_heat_maps_for_each_layer(variant, tmp_path):
    words = ["Das", "kostet", "$", "$", "ein@@", "</s>"]
    figure = draw(dict(enumerate(read(variant))), words)
    maps = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert len(maps) == 4
    own = ["itself"] if variant == "bottleneck-skip" else []
    columns = [[label.get_text() for label in axes.get_xticklabels()] for axes in maps[:2]]
    shown = ["Das", "kostet", r"\$", r"\$", "ein@@", "</s>"]
    assert columns == [["m0", "m1", "m2", *own], ["m0", "m1", "m2", *shown]]
    assert len(maps[0].get_yticklabels()) == T
    height, width = picture(figure, tmp_path / "all.png")
    assert height > 200
    assert width > 300


def test_a_long_sentence_makes_no_endless_picture():
    rows = torch.full((350, M), 1 / M)
    layer = LayerAttention(rows, torch.full((M, 350 + M), 1 / (350 + M)))
    figure = draw({0: layer}, ["word"] * 350)
    assert max(figure.get_size_inches()) < 90


@pytest.mark.parametrize(
    ("layer", "numbers"), [("last", [5]), ("0", [0]), ("5", [5]), ("all", [0, 1, 2, 3, 4, 5])]
)
def test_choice_of_layers(layer, numbers):
    assert choose(layer, 6) == numbers


@pytest.mark.parametrize("layer", ["6", "-1", "first", ""])
def test_no_such_layer(layer):
    with pytest.raises(MemtxError, match="no such layer, use 'last', 'all' or 0 to 5"):
        choose(layer, 6)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A test set of 12 sentences and a validation set of 20, as ``fairseq-preprocess`` writes."""
    folder = tmp_path_factory.mktemp("data bin")
    for language in ("src", "tgt"):
        words().save(str(folder / f"dict.{language}.txt"))
        for split, count in (("test", 12), ("valid", 20)):
            prefix = folder / f"{split}.src-tgt.{language}"
            builder = MMapIndexedDatasetBuilder(f"{prefix}.bin", dtype=np.int32)
            for sentence in batch(*[T] * count):
                builder.add_item(sentence)
            builder.finalize(f"{prefix}.idx")
    return folder


def save(path: Path, **flags) -> None:
    """A checkpoint of a small model, as ``fairseq-train`` writes it but for what is not needed."""
    args = Namespace(
        **{"arch": "mem_transformer", "task": "translation", "data": "where it was trained"},
        **{"source_lang": "src", "target_lang": "tgt"},
        **{**SMALL, "memory_variant": "tokens", **flags},
    )
    history = {"optimizer_name": "Adam", "lr_scheduler_state": {}, "num_updates": 1}
    state = {"args": args, "optimizer_history": [history], "extra_state": {}}
    torch.save({**state, "model": build(**flags).float().state_dict()}, path)


@pytest.fixture
def arguments(data, tmp_path) -> list[str]:
    """A command that works; later flags win."""
    save(tmp_path / "model.pt", memory_tokens=M)
    flags = ["--checkpoint", tmp_path / "model.pt", "--data", data]
    return [str(flag) for flag in (*flags, "--output", tmp_path / "a new folder/memory.png")]


def test_command(arguments):
    output = Path(arguments[-1])
    told = succeed("fairseq-memtx", *PLOT, *arguments, "--layer", "all", "--sentence-index", 3)
    assert f"wrote {output}: " in told
    assert "DEBUG" not in told  # matplotlib's own talk, which fairseq turns on
    height, width = imread(output).shape[:2]
    assert 300 < height < 3000
    assert 500 < width < 3000


def test_sentence_of_the_user(arguments, capsys):
    run([*PLOT, *arguments, "--text", "w3 w2 w1"])
    assert "w3 w2 w1 </s>" in capsys.readouterr().out


def test_validation_set_in_place_of_a_test_set(arguments, data, tmp_path):
    folder = tmp_path / "no test set"
    folder.mkdir()
    for path in data.iterdir():
        if not path.name.startswith("test."):
            (folder / path.name).symlink_to(path)
    run([*PLOT, *arguments, "--data", str(folder), "--sentence-index", "19"])
    with pytest.raises(MemtxError, match="the valid set has sentences 0 to 19"):
        run([*PLOT, *arguments, "--data", str(folder), "--sentence-index", "20"])


@pytest.mark.parametrize("index", ["12", "-1"])
def test_sentence_out_of_range(arguments, index):
    with pytest.raises(MemtxError, match="out of range: the test set has sentences 0 to 11"):
        run([*PLOT, *arguments, "--sentence-index", index])


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--layer", "2"], "no such layer"),
        (["--text", " "], "--text is empty"),
        (["--output", "picture.jpeg.xyz"], "must end in .png"),
        (["--checkpoint", "nowhere.pt"], "no checkpoint nowhere.pt: check --checkpoint"),
    ],
)
def test_errors_of_the_command_line(arguments, flags, told):
    with pytest.raises(MemtxError, match=told):
        run([*PLOT, *arguments, *flags])


def test_picture_that_cannot_be_written(arguments, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MemtxError, match="cannot be written"):
        run([*PLOT, *arguments, "--output", str(tmp_path / "file/memory.png")])


def test_model_without_memory(arguments, tmp_path):
    save(tmp_path / "model.pt", memory_tokens=0)
    line = fail("fairseq-memtx", *PLOT, *arguments)
    assert line.startswith("fairseq-memtx: error: ")
    assert "has no memory" in line
