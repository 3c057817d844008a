"""Models in folders: what was written comes back, and what is broken is told in one line."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from safetensors.torch import load_file, save_file

from fairseq_memtx.memory import Band, LanguageModelSettings, SegmentLanguageModel, load, save

SYMBOLS = ("<s>", "<pad>", "</s>", "<unk>", "ä", "b")
BANDS = (Band(4, 8, True), Band(2, 4, True))
SETTINGS = LanguageModelSettings(
    backbone="transformer-xl", layers=2, channels=8, ffn_channels=12, heads=2, activation="relu",
    norm_first=False, final_norm=False, input_bands=BANDS, embed_scale=2.5, embed_norm=False,
    positions="none", position_rows=0, output_bands=BANDS, output_channels=8, output_bias=True,
    padding=1, segment_length=4, memory_tokens=2, memory_positions="none", reads=True,
    writes=True, recurrent=True, causal=False, memory_reads_cache=False,
    cache_length=3, associative_channels=5, associative_correction=True,
)  # fmt: skip


@pytest.fixture
def folder(tmp_path) -> Path:
    torch.manual_seed(1)
    model = SegmentLanguageModel(SETTINGS, SYMBOLS)
    for mine, other in zip(model.embedding.tables, model.output.tables):
        other.weight = mine.weight
    save(model, tmp_path, {"torch": torch.__version__})
    return tmp_path


def test_what_was_written_comes_back(folder):
    tokens = torch.arange(9).remainder(len(SYMBOLS))[None]
    torch.manual_seed(1)
    first = SegmentLanguageModel(SETTINGS, SYMBOLS)
    for mine, other in zip(first.embedding.tables, first.output.tables):
        other.weight = mine.weight
    for model in (load(folder), load(str(folder))):
        assert (model.settings, model.symbols) == (SETTINGS, SYMBOLS)
        assert not model.training
        torch.testing.assert_close(model(tokens), first(tokens))


def test_it_learns_on_with_its_weights_tied(folder):
    """And says itself again what it became."""
    model = load(folder)
    tokens = torch.arange(9).remainder(len(SYMBOLS))[None]
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(30):
        logits, _ = model(tokens[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits[0], tokens[0, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.5
    (again := folder / "again").mkdir()
    save(model, again, {})
    torch.testing.assert_close(load(again)(tokens), model(tokens))


def change(folder: Path, **parts: object) -> None:
    """Write other parts of the JSON; those of the settings under ``settings__``."""
    path = folder / "config.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    for name, value in parts.items():
        *above, last = name.split("__")
        part = told[above[0]] if above else told
        part[last] = value
        if value is Ellipsis:
            del part[last]
    path.write_text(json.dumps(told), encoding="utf-8")


BAND = {"words": 6, "channels": 8, "projected": False}


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"format": 2}, "has the format '2', and 1 is read: export the model again"),
        ({"format": ...}, "is of no model: give what fairseq-memtx export wrote"),
        ({"symbols": ...}, "has no symbols"),
        ({"settings": []}, "has no settings"),
        ({"shared": 3}, "has no shared"),
        ({"symbols": ["a"]}, "symbols are 1 and the embedding has 6 words"),
        ({"symbols": [1, 2, 3, 4, 5, 6]}, "symbols are 6 and"),
        ({"shared": {"output.tables.0.weight": "nothing"}}, "has no 'nothing', which is shared"),
        ({"shared": {"output.tables.0.weight": ["a"]}}, "makes no model"),
        ({"shared": {}}, "output.tables.0.weight has the shape None and is to have"),
        ({"settings__heads": ...}, "heads is missing"),
        ({"settings__shape": 3}, "shape is unknown"),
        ({"settings__heads": "2"}, "heads is '2'"),
        ({"settings__writes": 1}, "writes is '1'"),
        ({"settings__heads": 3}, "channels are 8, and heads, 3, no divisor"),
        ({"settings__heads": 0}, "heads is 0, and at least 1"),
        ({"settings__cache_length": -1}, "cache_length is -1, and at least 0"),
        ({"settings__activation": "exit"}, "activation is 'exit', and not relu or gelu"),
        ({"settings__backbone": "rnn"}, "backbone is 'rnn', and not transformer-xl or"),
        ({"settings__positions": "own"}, "positions is 'own', and not none or"),
        ({"settings__layers": 1 << 40}, "layers are 1099511627776, and there are no weights of so"),
        ({"settings__channels": 1 << 20}, "is to have .2, 2, 524288."),
        ({"settings__channels": 1 << 40}, "makes no model"),
        ({"settings__ffn_channels": 1 << 70}, "makes no model"),
        ({"settings__layers": 1}, "layers.1.fc1.bias has the shape .12,. and is to have None"),
        ({"settings__layers": 3}, "layers.2.fc1.bias has the shape None and is to have .12,."),
        ({"settings__memory_tokens": 3}, "memory.weight has the shape .2, 8. and is to have .3, 8"),
        ({"settings__input_bands": 3}, "input_bands is '3'"),
        ({"settings__input_bands": [3]}, "3 is no Band"),
        ({"settings__input_bands": []}, "input_bands have 0 words and output_bands 6"),
        ({"settings__input_bands": [{**BAND, "words": -1}]}, "a band has -1 words of 8 channels"),
        ({"settings__input_bands": [{**BAND, "words": 2.5}]}, "words is '2.5'"),
        ({"settings__input_bands": [BAND]}, "embedding.projections.0.weight has the shape .8, 8."),
    ],
)
def test_a_configuration_is_checked_before_it_is_believed(folder, parts, says):
    change(folder, **parts)
    with pytest.raises(ValueError, match=says) as error:
        load(folder)
    assert "\n" not in str(error.value)
    assert str(folder) in str(error.value)
    assert re.search("(export the model again|give what .* export wrote)$", str(error.value))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\xff", "null", "3", '["format"]'])
def test_a_file_that_is_no_configuration(folder, text):
    (folder / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"config\.json (cannot be read|is of no model)"):
        load(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_folder_that_is_not_whole(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=f"{name} cannot be read") as error:
        load(folder)
    assert "\n" not in str(error.value)
    (folder / name).unlink()
    with pytest.raises(ValueError, match=f"there is no .*{name}: give what fairseq-memtx export"):
        load(folder)
    with pytest.raises(ValueError, match="there is no "):
        load(folder / "elsewhere")


def test_where_safetensors_is_missing(folder, torch_alone):
    """The core does without it, and a model that is to be loaded says what to install."""
    script = f"from fairseq_memtx import memory; memory.load({str(folder)!r})"
    result = subprocess.run(
        [torch_alone, "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert result.stderr.splitlines()[-1].startswith("ModuleNotFoundError: No module named 'safet")


def test_weights_of_another_kind(folder):
    weights = load_file(folder / "model.safetensors")
    for change in (
        {"memory.weight": torch.ones(2, 8).half()},
        {"memory.weight": torch.ones(2, 8).int()},
    ):
        save_file({**weights, **change}, folder / "model.safetensors")
        with pytest.raises(ValueError, match="are not all of one floating type"):
            load(folder)
    weights["gate"] = torch.ones(3)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"gate has the shape \(3,\) and is to have None"):
        load(folder)
