"""Memory surgery, averaging, and what a checkpoint may hold."""

import ast
import logging
import os
import pickle
import shutil

import pytest
import torch
from conftest import ROOT, VARIANTS, batch, build, fail, succeed, train_flags
from fairseq import checkpoint_utils

from fairseq_memtx.errors import MemtxError

MEMORY = "encoder.memory.weight"


def warnings(caplog) -> str:
    return "\n".join(r.message for r in caplog.records if r.levelno >= logging.WARNING)


# --- surgery -----------------------------------------------------------------------------------


@pytest.fixture(params=["fairseq-train", "fairseq-hydra-train", "fairseq-generate"])
def command(request, monkeypatch):
    """What was typed, by which flags are advised."""
    monkeypatch.setattr("sys.argv", [f"/bin/{request.param}", "data"])
    return request.param


@pytest.mark.parametrize("wanted", [1, 2, 5, 9])
def test_another_number_of_tokens(wanted, command, caplog):
    saved = build(memory_tokens=4, seed=1)
    model = build(memory_tokens=wanted, seed=2)
    fresh = model.encoder.memory.weight.detach().clone()
    model.load_state_dict(saved.state_dict())
    weight, common = model.encoder.memory.weight, min(4, wanted)
    assert torch.equal(weight[:common], saved.encoder.memory.weight[:common])
    assert torch.equal(weight[common:], fresh[common:]), "new rows are the model's own"
    for name, value in saved.state_dict().items():
        if name != MEMORY:
            assert torch.equal(model.state_dict()[name], value)
    said = warnings(caplog)
    if wanted < 4:
        assert f"memory lesion: the first {wanted} of the checkpoint's 4 tokens are kept" in said
    else:
        assert (
            f"memory extension: 4 memory tokens come from the checkpoint and {wanted - 4}" in said
        )
    assert ("--finetune-from-model" in said) == command.endswith("train")


def test_same_number_of_tokens_says_nothing(caplog):
    build(seed=2).load_state_dict(build(seed=1).state_dict())
    assert warnings(caplog) == ""


def test_the_callers_state_dict_is_left_alone():
    saved = build(memory_tokens=4).state_dict()
    build(memory_tokens=2).load_state_dict(saved)
    assert len(saved[MEMORY]) == 4


@pytest.mark.parametrize("variant", VARIANTS)
def test_plain_transformer_gets_memory(variant, caplog):
    plain, model = build(memory_tokens=0, seed=1), build(variant, 4, seed=2)
    fresh = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(plain.state_dict())
    for name, value in model.state_dict().items():
        expected = plain.state_dict().get(name, fresh[name])
        assert torch.equal(value, expected), name
    assert "memory extension: 0 memory tokens come from the checkpoint and 4" in warnings(caplog)
    assert ("no memory controller" in warnings(caplog)) == (variant != "tokens")


def test_memory_is_taken_away_altogether(caplog):
    saved, model = build(memory_tokens=4, seed=1), build(memory_tokens=0, seed=2)
    model.load_state_dict(saved.state_dict())
    assert "memory lesion: all 4 memory tokens" in warnings(caplog)
    assert torch.equal(model.encoder.layers[0].fc1.weight, saved.encoder.layers[0].fc1.weight)


@pytest.mark.parametrize(
    ("saved", "wanted", "says"),
    [
        ({"variant": "controller"}, {}, r"32 weights are unknown to the model \(such as encoder"),
        ({"variant": "controller"}, {"variant": "shared-controller"}, r"16 weights .* are missing"),
        ({"encoder_layers": 1}, {}, r"16 weights that the model has are missing"),
        ({"encoder_ffn_embed_dim": 8}, {}, r"6 weights have another shape"),
    ],
)
def test_checkpoint_of_another_model(saved, wanted, says, command):
    model = build(**wanted, seed=2)
    with pytest.raises(MemtxError, match=says) as error:
        model.load_state_dict(build(**saved).state_dict())
    assert "\n" not in str(error.value)
    assert ("--arch" in str(error.value)) == command.endswith("train")


def test_lesion_and_extension_on_the_command_line(trained, toy_data, tmp_path):
    """A real checkpoint with 3 tokens, used with 1, and trained on with 5."""
    lesion = succeed(
        "fairseq-generate", toy_data, "--user-dir", "fairseq_memtx", "--path",
        trained / "checkpoint_last.pt", "--beam", 2, "--cpu",
        "--model-overrides", "{'memory_tokens': 1}",
    )  # fmt: skip
    assert "memory lesion: the first 1 of the checkpoint's 3 tokens are kept" in lesion
    extension = succeed(
        "fairseq-train",
        *train_flags(toy_data, tmp_path / "longer", "--memory-tokens", 5),
        *["--finetune-from-model", trained / "checkpoint_last.pt"],
    )
    assert "memory extension: 3 memory tokens come from the checkpoint and 2" in extension
    state = checkpoint_utils.load_checkpoint_to_cpu(str(tmp_path / "longer/checkpoint_last.pt"))
    assert len(state["model"][MEMORY]) == 5


@pytest.mark.parametrize("flags", [["--memory-tokens", 5], ["--memory-variant", "controller"]])
def test_training_on_with_an_optimizer_that_does_not_fit(trained, toy_data, tmp_path, flags):
    line = fail(
        "fairseq-train",
        *train_flags(toy_data, tmp_path / "longer", *flags, "--max-update", 200),
        *["--restore-file", trained / "checkpoint_last.pt"],
    )
    assert "--reset-optimizer" in line
    assert not list((tmp_path / "longer").glob("checkpoint*.pt"))


# --- averaging ---------------------------------------------------------------------------------

AVERAGE = ("fairseq-memtx", "average")


@pytest.fixture
def two_checkpoints(trained, tmp_path):
    """``checkpoint1.pt`` and ``checkpoint2.pt`` with weights 1 and 4 times the trained ones."""
    state = torch.load(trained / "checkpoint_last.pt")
    original = dict(state["model"])
    for epoch, factor in [(1, 1.0), (2, 4.0)]:
        state["model"] = {name: value * factor for name, value in original.items()}
        torch.save(state, tmp_path / f"checkpoint{epoch}.pt")
    return tmp_path, original


def test_averaging(two_checkpoints, toy_data):
    folder, original = two_checkpoints
    output = folder / "averaged.pt"
    succeed(*AVERAGE, "--last", 2, folder, "--output", output)
    averaged = torch.load(output)
    for name, value in original.items():
        torch.testing.assert_close(averaged["model"][name], 2.5 * value)
    assert "last_optimizer_state" not in averaged
    generated = succeed(
        "fairseq-generate", toy_data, "--user-dir", "fairseq_memtx", "--path", output, "--cpu"
    )
    assert "Generate test with beam=5" in generated
    assert "exists: delete it" in fail(*AVERAGE, "--last", 2, folder, "--output", output)
    wrong = fail(*AVERAGE, "--last", 3, folder, "--output", folder / "other.pt")
    assert "has 2 epoch checkpoints and 3 are to be averaged" in wrong


# --- what a checkpoint may hold ----------------------------------------------------------------


class Evil:
    """Runs a command when it is unpickled by a loader that lets it."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch '{self.canary}'",)


def test_protection_is_on():
    """Asked for by name wherever we read a file: what is not said, the environment decides."""
    assert "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" not in os.environ
    reads = 0
    for path in [*(ROOT / "fairseq_memtx").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        assert "NO_WEIGHTS_ONLY_LOAD" not in text
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                flags = {flag.arg: ast.unparse(flag.value) for flag in node.keywords}
                assert flags.get("weights_only") == "True", path
                reads += 1
    assert reads


def test_the_allow_list_is_no_longer_than_it_need_be():
    listed = [e[0] if isinstance(e, tuple) else e for e in torch.serialization.get_safe_globals()]
    allowed = {entry.__name__ for entry in listed if not entry.__module__.startswith("torch")}
    assert allowed == {
        "Namespace", "ndarray", "dtype", "_reconstruct", "scalar", "BoolDType", "Int32DType",
        "Int64DType", "Float32DType", "Float64DType",
    }  # fmt: skip


def test_checkpoint_with_bleu_in_its_meters_loads(toy_data, tmp_path):
    """``--eval-bleu`` leaves numpy arrays in the checkpoint."""
    flags = ["--eval-bleu", "--eval-bleu-args", '{"beam": 1}', "--eval-bleu-remove-bpe"]
    succeed("fairseq-train", *train_flags(toy_data, tmp_path, *flags))
    again = succeed("fairseq-train", *train_flags(toy_data, tmp_path, *flags, "--max-update", 8))
    assert "Loaded checkpoint" in again


@pytest.mark.parametrize("where", ["extra_state", "model", "last_optimizer_state"])
def test_checkpoint_with_code_is_refused(trained, tmp_path, where):
    state = torch.load(trained / "checkpoint_last.pt")
    canary = tmp_path / "canary"
    state[where]["surprise"] = Evil(canary)
    path = tmp_path / "evil.pt"
    torch.save(state, path)
    with pytest.raises(MemtxError) as error:
        checkpoint_utils.load_checkpoint_to_cpu(str(path))
    assert str(path) in str(error.value)
    assert "posix.system" in str(error.value)
    assert not canary.exists()


def test_old_format_with_code_is_refused(trained, tmp_path):
    state = torch.load(trained / "checkpoint_last.pt")
    plain, evil, canary = tmp_path / "old.pt", tmp_path / "evil.pt", tmp_path / "canary"
    torch.save(state, plain, _use_new_zipfile_serialization=False)
    checkpoint_utils.load_checkpoint_to_cpu(str(plain))
    state["surprise"] = Evil(canary)
    torch.save(state, evil, _use_new_zipfile_serialization=False)
    with pytest.raises(MemtxError, match=r"evil.pt is refused, since .*posix.system"):
        checkpoint_utils.load_checkpoint_to_cpu(str(evil))
    assert not canary.exists()


def test_refusal_on_the_command_line(trained, toy_data, tmp_path):
    state = torch.load(trained / "checkpoint_last.pt")
    state["surprise"] = Evil(tmp_path / "canary")
    path = tmp_path / "evil.pt"
    torch.save(state, path)
    line = fail(
        "fairseq-generate", toy_data, "--user-dir", "fairseq_memtx", "--path", path, "--cpu"
    )
    assert line.startswith("fairseq-memtx: error: checkpoint")
    assert "evil.pt is refused, since it holds posix.system" in line
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.999])
def test_cut_off_checkpoint(trained, tmp_path, kept):
    whole = (trained / "checkpoint_last.pt").read_bytes()
    path = tmp_path / "cut.pt"
    path.write_bytes(whole[: int(kept * len(whole)) if kept < 1 else kept])
    with pytest.raises(MemtxError, match=r"cut.pt is (cut off|empty)"):
        checkpoint_utils.load_checkpoint_to_cpu(str(path))


@pytest.mark.parametrize("content", [b"hello", pickle.dumps({"model": 1}, protocol=2)])
def test_file_that_is_no_checkpoint(tmp_path, content):
    path = tmp_path / "other.pt"
    path.write_bytes(content)
    with pytest.raises(MemtxError, match=r"other.pt"):
        checkpoint_utils.load_checkpoint_to_cpu(str(path))


def test_weights_without_a_configuration(tmp_path):
    torch.save({"weights": torch.zeros(2)}, tmp_path / "weights.pt")
    with pytest.raises(MemtxError, match=r"weights.pt is no checkpoint of fairseq"):
        checkpoint_utils.load_checkpoint_to_cpu(str(tmp_path / "weights.pt"))


def test_checkpoint_of_another_model_overwrites_nothing(trained, toy_data, tmp_path):
    shutil.copytree(trained, tmp_path / "mine")
    before = {p.name: p.read_bytes() for p in (tmp_path / "mine").iterdir()}
    flags = train_flags(toy_data, tmp_path / "mine", "--encoder-layers", 3, "--max-update", 200)
    line = fail("fairseq-train", *flags)
    assert "the checkpoint is of another model" in line
    assert line.endswith("or another --save-dir")
    assert {p.name: p.read_bytes() for p in (tmp_path / "mine").iterdir()} == before


def test_loading_keeps_the_output(trained):
    """What was saved is what is computed after loading."""
    state = torch.load(trained / "checkpoint_last.pt")
    assert len(state["model"][MEMORY]) == 3
    a, b = build(seed=1), build(seed=2)
    b.load_state_dict(a.state_dict())
    source = batch(5, 3)
    assert torch.equal(a(source, None, source)[0], b(source, None, source)[0])
