"""``fairseq-memtx flags``: every flag of an architecture, its task and criterion."""

import argparse
import re

import pytest
from conftest import memtx
from fairseq.criterions import CRITERION_REGISTRY
from fairseq.models import ARCH_MODEL_REGISTRY
from fairseq.tasks import TASK_REGISTRY

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.flags import presets
from fairseq_memtx.flags.listing import listing


def flags_of(owner) -> set[str]:
    parser = argparse.ArgumentParser(add_help=False)
    owner.add_args(parser)
    shown = (action for action in parser._actions if action.help is not argparse.SUPPRESS)
    return {flag for action in shown for flag in action.option_strings}


@pytest.mark.parametrize(
    ("arch", "task", "criterion"),
    [
        ("mem_transformer_wmt", "translation", "fused_label_smoothed_cross_entropy"),
        ("rmt_lm_wiki103", "rmt_language_modeling", "segment_cross_entropy"),
        ("rmt_lm_tiny", "algorithmic_sequences", "cross_entropy"),
        ("gmat_roberta_base", "extractive_qa", "extractive_qa"),
    ],
)
def test_no_flag_is_left_out(arch, task, criterion, capsys):
    assert memtx("flags", arch, "--task", task, "--criterion", criterion) == 0
    output = capsys.readouterr().out
    titles = re.findall(r"^(--.*):$", output, re.MULTILINE)
    assert titles == [f"--arch {arch}", f"--task {task}", f"--criterion {criterion}"]
    parts = re.split(r"^--.*:$", output, flags=re.MULTILINE)[1:]
    owners = (ARCH_MODEL_REGISTRY[arch], TASK_REGISTRY[task], CRITERION_REGISTRY[criterion])
    for part, owner in zip(parts, owners, strict=True):
        shown = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", part))
        assert flags_of(owner) <= shown
        assert part.count("(default:") >= len({flag for flag in flags_of(owner) if "--" in flag})


@pytest.mark.parametrize("arch", sorted(file.stem for file in presets.FOLDER.glob("*.yaml")))
def test_defaults_are_those_of_the_architecture(arch):
    text = " ".join(listing(arch).split())
    for name, value in presets.read(arch).items():
        flag = f"--{name.replace('_', '-')}"
        if f" {flag} " in text:
            (default,) = re.findall(rf" {flag} .*?\(default: ([^)]*)\)", text)[:1]
            assert default == str(value) or default.startswith(f"{value}, no"), flag


def test_names_that_there_are_none_of():
    for arguments, told in [
        (("rmt_ml",), "ARCH rmt_ml is unknown: did you mean rmt_lm"),
        (("rmt_lm", "translatoin"), "--task translatoin is unknown: did you mean translation"),
        (("rmt_lm", None, "cross"), "--criterion cross is unknown: "),
    ]:
        with pytest.raises(MemtxError, match=told):
            listing(*arguments)
