"""``fairseq-memtx arches``: every architecture, with as many parameters as its model has."""

import pytest
import torch
from conftest import memtx, words
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

from fairseq_memtx.flags import presets
from fairseq_memtx.flags.architectures import architectures

TASKS = {
    "mem_transformer_tiny": "translation",
    "rmt_lm_tiny": "rmt_language_modeling --tokens-per-sample 8",
    "gmat_roberta_tiny": "masked_lm",
}


@pytest.fixture(scope="module")
def rows():
    return {row.name: row for row in architectures(symbols=100)}


@pytest.mark.parametrize("arch", TASKS)
def test_as_many_parameters_as_the_model_has(arch, rows):
    line = f"data --arch {arch} --task {TASKS[arch]}".split()
    args = options.parse_args_and_arch(options.get_training_parser(), line)
    cfg = convert_namespace_to_omegaconf(args)
    masked = "masked" in TASKS[arch]  # which adds <mask> to the dictionary
    dictionaries = (words(95),) if masked else (words(96),) * 2
    task = tasks.TASK_REGISTRY[cfg.task._name](cfg.task, *dictionaries)
    assert len(task.source_dictionary) == 100
    model = task.build_model(cfg.model)
    assert rows[arch].parameters == sum(parameter.numel() for parameter in model.parameters())


def test_what_the_paper_s_variants_add(rows):
    """As the README says, at 6 layers and d 512."""
    plain = rows["mem_transformer_wmt"].parameters
    added = {name: row.parameters - plain for name, row in rows.items() if "_wmt" in name}
    assert added["mem_ctrl_transformer_wmt"] == 18_914_304
    assert added["mem_ctrl_shared_transformer_wmt"] == 3_152_384
    assert added["mem_bottleneck_transformer_wmt"] == 18_914_304
    memory = rows["rmt_transformer_xl_wiki103"].parameters
    assert memory - rows["transformer_xl_lm_wiki103"].parameters == 10 * 410


def test_every_preset_is_a_row(capsys):
    before = torch.get_rng_state()
    assert memtx("arches", "--symbols", 32000) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == [
        "architecture", "layers", "d", "ffn", "heads", "memory", "cache", "parameters",
    ]  # fmt: skip
    named = {line.split()[0] for line in lines}
    assert named == {file.stem for file in presets.FOLDER.glob("*.yaml")}
    assert "mem_transformer_wmt 6+6 512 2048 8 20 0 60,532,736" in map(
        " ".join, map(str.split, lines)
    )
    assert torch.equal(torch.get_rng_state(), before)
