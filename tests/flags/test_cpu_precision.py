"""``--bf16`` and ``--amp`` on a CPU: autocast around what computes, and all else as ever."""

import re
from argparse import Namespace

import pytest
import torch
from conftest import succeed, train_flags
from fairseq import options
from fairseq.criterions import FairseqCriterion
from fairseq.sequence_generator import SequenceGenerator
from fairseq.sequence_scorer import SequenceScorer

from fairseq_memtx.doctor import machine
from fairseq_memtx.flags import cpu_precision


class Asked(FairseqCriterion):
    """Whose loss is whether autocast is on."""

    def __init__(self):
        torch.nn.Module.__init__(self)

    def forward(self, model, sample):
        return torch.is_autocast_enabled("cpu")


def parsed(*flags: str) -> Namespace:
    line = ["data", "--arch", "mem_transformer_tiny", *flags]
    return options.parse_args_and_arch(options.get_training_parser(), line)


def run(*flags: str) -> bool:
    """Whether a criterion computes in bfloat16 in a command with these flags."""
    parsed(*flags)
    return Asked()(None, None)


@pytest.fixture(autouse=True)
def forgotten():
    yield
    cpu_precision._chosen["bfloat16"] = False


@pytest.mark.parametrize(
    ("flags", "on"),
    [
        ("", False),
        ("--bf16", True),
        ("--amp", True),
        ("--memory-efficient-bf16", False),  # weights are
    ],
)
def test_where_autocast_is(flags, on):
    assert run("--cpu", *flags.split()) is on


def test_not_where_a_gpu_computes(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert not run("--bf16")
    assert run("--bf16", "--cpu")


class Stopped(Exception):
    pass


def test_generators_and_scorers(monkeypatch):
    def computes(*args, **kwargs):
        raise Stopped(torch.is_autocast_enabled("cpu"))

    monkeypatch.setattr(SequenceGenerator, "_generate", computes)
    model = Namespace(eval=computes)
    for on in (True, False):
        monkeypatch.setitem(cpu_precision._chosen, "bfloat16", on)
        for kind in (SequenceGenerator, SequenceScorer):
            with pytest.raises(Stopped, match=str(on)):
                kind.generate(object.__new__(kind), [model], {"net_input": {}, "target": None})


@pytest.mark.parametrize("flag", ["--bf16", "--memory-efficient-bf16"])
def test_a_flag_of_the_command_line_means_no_tpu(flag):
    assert (parsed(flag).bf16, parsed(flag).tpu) == (True, False)
    assert parsed(flag, "--tpu").tpu


@pytest.mark.parametrize(("found", "told"), [(set(), True), ({"avx512_bf16"}, False)])
def test_a_processor_that_cannot_is_told(found, told, monkeypatch, caplog):
    monkeypatch.setattr(cpu_precision, "instructions", lambda: found)
    run("--bf16", "--cpu")
    lines = [line for line in caplog.messages if "no instructions for bfloat16" in line]
    assert len(lines) == told
    (finding,) = machine.bfloat16_instructions()
    assert finding.state == ("note" if told else "ok")


def valid_loss(log: str) -> float:
    return float(re.findall(r"valid on '\w+' subset.* \| loss ([\d.]+)", log)[-1])


LANGUAGE_MODEL = (
    "--task rmt_language_modeling --tokens-per-sample 8 --batch-size 4 --lr 5e-3 --optimizer adam "
    "--cpu --num-workers 0 --no-epoch-checkpoints --seed 1 --log-format simple --dropout 0.1 "
    "--user-dir fairseq_memtx --criterion cross_entropy "
)
FAMILIES = {
    "rmt_lm": f"{LANGUAGE_MODEL} --arch rmt_lm_tiny",
    "armt_lm": f"{LANGUAGE_MODEL} --arch armt_lm_tiny",
    "gmat_roberta": (
        "--user-dir fairseq_memtx --task masked_lm --criterion masked_lm --arch gmat_roberta_tiny "
        "--tokens-per-sample 32 --batch-size 16 --lr 5e-3 --optimizer adam --cpu --num-workers 0 "
        "--no-epoch-checkpoints --seed 1 --log-format simple --sample-break-mode eos"
    ),
    "mem_transformer": "",
}


@pytest.mark.training
@pytest.mark.parametrize("family", FAMILIES)
def test_a_training_in_bfloat16(family, toy_lm, toy_data, tmp_path):
    """Losses of float32 to a hundredth, weights of float32, and the same bits after a stop."""

    def train(name: str, updates: int, *more: str) -> str:
        folder = tmp_path / name
        flags = [toy_lm, *FAMILIES[family].split(), "--save-dir", folder]
        if family == "mem_transformer":
            flags = train_flags(toy_data, folder)
        return succeed("fairseq-train", *flags, "--max-update", updates, *more)

    def state(name: str) -> dict[str, torch.Tensor]:
        return torch.load(tmp_path / name / "checkpoint_last.pt", weights_only=False)["model"]

    exact = valid_loss(train("float32", 20))
    log = train("bfloat16", 20, "--bf16", "--save-interval-updates", "10")
    assert "products are in bfloat16" in log
    assert valid_loss(log) == pytest.approx(exact, rel=0.01)
    assert {x.dtype for x in state("bfloat16").values()} <= {torch.float32, torch.int64}
    assert str(state("bfloat16")) != str(state("float32"))
    (tmp_path / "stopped").mkdir()
    (halfway,) = (tmp_path / "bfloat16").glob("checkpoint_*_10.pt")
    halfway.rename(tmp_path / "stopped/checkpoint_last.pt")
    train("stopped", 20, "--amp")
    for one, other in zip(state("bfloat16").values(), state("stopped").values()):
        assert torch.equal(one, other)


@pytest.mark.training
def test_translating_in_bfloat16(toy_data, trained):
    path = trained / "checkpoint_last.pt"
    flags = [toy_data, "--user-dir", "fairseq_memtx", "--cpu", "--path", path]
    exact, half = (
        re.findall(r"^H-.*", succeed("fairseq-generate", *flags, *more), re.MULTILINE)
        for more in ([], ["--bf16"])
    )
    assert len(half) == len(exact) > 0
    assert half != exact, "scores differ a little"
