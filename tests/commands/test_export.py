"""``fairseq-memtx export``: from a checkpoint to a text that is read without fairseq."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import torch
from conftest import ROOT, memtx, words
from convert.test_plain_pytorch import FAIRSEQ
from models.test_rmt_lm import ADAPTIVE, SEGMENT, build, configuration, text
from omegaconf import OmegaConf

from fairseq_memtx.convert.weights import new_checkpoint
from fairseq_memtx.memory import load
from fairseq_memtx.modules.state_holder import StateHolder

PAGE = (ROOT / "docs/writing.md").read_text(encoding="utf-8")
CASES = {"memory and cache": ["--cache-length", "6"], "fairseq's layers": FAIRSEQ}


def write_checkpoint(folder: Path, *flags: str):
    """As ``fairseq-train`` writes one, and a folder with its dictionary; the model."""
    model = build(*flags).float()
    (folder / "data").mkdir()
    words().save(str(folder / "data/dict.txt"))
    cfg = OmegaConf.to_container(configuration("rmt_lm_tiny", flags), enum_to_str=True)
    cfg["task"]["data"] = str(folder / "data")
    torch.save(new_checkpoint(cfg, model.state_dict()), folder / "checkpoint.pt")
    return model


@pytest.mark.parametrize("kind", CASES)
def test_the_loop_of_the_page_where_fairseq_is_not(kind, torch_and_safetensors, tmp_path, capsys):
    """The five lines, in an environment with torch and safetensors: fairseq's logits and state."""
    model = write_checkpoint(tmp_path, *CASES[kind])
    assert memtx("export", tmp_path / "checkpoint.pt", tmp_path / "exported") == 0
    assert f"wrote {tmp_path}/exported: fairseq_memtx.memory.load(" in capsys.readouterr().out
    (loop,) = re.findall(
        r"```python\n(import torch\n\nfrom fairseq_memtx import memory\n.*?)```", PAGE, re.DOTALL
    )
    loop = re.sub(r"# A token is .*\ntokens = .*\n", "", loop)
    assert len(loop.split("model, state", 1)[1].splitlines()) == 5
    tokens = text(130 * SEGMENT + 3, streams=1)
    script = f"""
import json, sys, torch
tokens, found = torch.tensor({tokens.tolist()}), []
{loop.replace("...", "found += logits[0].tolist()")}
others = {{"fairseq", "numpy", "hydra", "omegaconf"}} & set(sys.modules)
state = {{name: part.tolist() for name, part in state.items()}}
print(json.dumps([found, state, sorted(others), model.symbols[:6]]))
"""
    result = subprocess.run(
        [torch_and_safetensors, "-c", script],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found, state, others, symbols = json.loads(result.stdout)
    assert others == []
    assert symbols == ["<s>", "<pad>", "</s>", "<unk>", "w0", "w1"]
    with torch.no_grad():
        wanted = model(tokens, holder=(holder := StateHolder()))[0][0]
    torch.testing.assert_close(torch.tensor(found), wanted, rtol=0, atol=1e-6)
    assert state.keys() == holder.state.keys()
    for name, part in holder.state.items():
        torch.testing.assert_close(torch.tensor(state[name]), part, rtol=0, atol=1e-6)


def test_a_dictionary_that_lies_elsewhere_now(tmp_path, capsys):
    write_checkpoint(tmp_path, *ADAPTIVE)
    (tmp_path / "data").rename(tmp_path / "moved")
    line = ["export", tmp_path / "checkpoint.pt", tmp_path / "exported"]
    assert memtx(*line) == 1
    error = capsys.readouterr().err
    assert "data" in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "exported").exists()
    assert memtx(*line, "--data", tmp_path / "moved") == 0
    assert load(tmp_path / "exported").symbols == tuple(words().symbols)


def test_what_cannot_be_exported(tmp_path, capsys, trained):
    (tmp_path / "there").mkdir()
    for checkpoint, folder, says in [
        (tmp_path / "none.pt", "new", "there is no checkpoint"),
        (tmp_path / "none.pt", "there", "there exists: delete it, or give another name"),
        (trained / "checkpoint_last.pt", "new", "is of another model: rmt_lm alone can be"),
    ]:
        assert memtx("export", checkpoint, tmp_path / folder) == 1
        error = capsys.readouterr().err
        assert says in error
        assert len(error.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "there"]
