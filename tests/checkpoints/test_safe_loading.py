"""Files are read when they are whole and harmless, and nothing in them is run."""

import os
import random
import zipfile
from argparse import Namespace

import checkpoint_states
import pytest
import torch
from fairseq import checkpoint_utils

from fairseq_memtx.checkpoints import safe_loading
from fairseq_memtx.errors import MemtxError


@pytest.fixture
def path(tmp_path):
    """A whole checkpoint."""
    checkpoint_states.folder(tmp_path)
    torch.save(checkpoint_states.whole(tmp_path), tmp_path / "model.pt")
    return tmp_path / "model.pt"


@pytest.fixture
def canary(tmp_path):
    """A file that no program may make."""
    yield tmp_path / "canary"
    assert not (tmp_path / "canary").exists()


class Evil:
    """Makes a file when it is unpickled by a loader that lets it."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch '{self.canary}'",)


# --- damage ------------------------------------------------------------------------------------


def test_no_flipped_bit_goes_unnoticed(path):
    """Bits all over the file: refused, or what is loaded is the same.

    Also beside a tensor of no numbers, whose checksum is zero.
    """
    torch.save({**torch.load(path, weights_only=True), "nothing": torch.empty(0)}, path)
    whole, numbers, refused = path.read_bytes(), random.Random(1), 0
    wanted = repr(torch.load(path, weights_only=True))
    for _ in range(150):
        broken = bytearray(whole)
        broken[numbers.randrange(len(whole))] ^= 1 << numbers.randrange(8)
        path.write_bytes(broken)
        try:
            found = repr(safe_loading.load(str(path)))
        except safe_loading.TornCheckpoint:
            refused += 1
        else:
            assert found == wanted
    assert refused > 50, "many are in the weights"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (lambda whole: whole[: len(whole) // 2], "is cut off, damaged or not a checkpoint"),
        (lambda whole: whole[:-10], "is cut off, damaged or not a checkpoint"),
        (lambda whole: bytes(len(whole)), "is cut off, damaged or not a checkpoint"),
        (lambda whole: b"", "is empty"),
        (lambda whole: b"PK\x03\x04", "is cut off, damaged or not a checkpoint"),
        (lambda whole: b"\x80\x02]q\x00.", "is cut off, damaged or not a checkpoint"),
    ],
)
def test_torn_files(path, content, says):
    path.write_bytes(content(path.read_bytes()))
    for read in (safe_loading.check, safe_loading.load, checkpoint_utils.load_checkpoint_to_cpu):
        with pytest.raises(safe_loading.TornCheckpoint, match=says) as error:
            read(str(path))
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)


def rewrite(path, change, compression=zipfile.ZIP_STORED) -> None:
    """The same archive with other parts."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in change(parts).items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("change", "compression"),
    [
        (lambda parts: {**parts, "model/data/1": b"abcd"}, zipfile.ZIP_STORED),
        (lambda parts: {n: p for n, p in parts.items() if n != "model/data/0"}, zipfile.ZIP_STORED),
        (lambda parts: {"hello.txt": b"hello"}, zipfile.ZIP_STORED),
        (lambda parts: {}, zipfile.ZIP_STORED),
        (lambda parts: {**parts, "model/data/0": bytes(10**8)}, zipfile.ZIP_DEFLATED),
    ],
    ids=["shrunk", "missing", "other", "empty", "bomb"],
)
def test_archives_of_other_parts(path, change, compression):
    rewrite(path, change, compression)
    says = "cut off" if compression == zipfile.ZIP_STORED else "compressed"
    with pytest.raises(safe_loading.TornCheckpoint, match=rf"model.pt is {says}"):
        safe_loading.load(str(path))


def test_an_archive_without_checksums_is_read(path, tmp_path):
    """Torch can be told to write none; there are zeros in their place."""
    state = torch.load(path, weights_only=True)
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(state, path)
    finally:
        torch.serialization.set_crc32_options(True)
    assert repr(safe_loading.load(str(path))) == repr(state)


def test_what_is_no_file(tmp_path):
    """Without waiting for what somebody may write into a pipe."""
    os.mkfifo(tmp_path / "pipe.pt")
    (tmp_path / "folder.pt").mkdir()
    (tmp_path / "loop.pt").symlink_to(tmp_path / "loop.pt")
    (tmp_path / "device.pt").symlink_to("/dev/zero")
    for name, says in {
        "pipe": "is a pipe", "folder": "is a folder", "loop": "cannot be read: Too many levels",
        "device": "is a pipe or a device", "nothing": "cannot be read: No such file",
    }.items():  # fmt: skip
        for read in (safe_loading.check, checkpoint_utils.load_checkpoint_to_cpu):
            with pytest.raises(MemtxError, match=rf"checkpoint .*{name}.pt {says}"):
                read(str(tmp_path / f"{name}.pt"))


def test_no_permission(path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(MemtxError, match=r"model.pt cannot be read: Permission denied"):
        safe_loading.check(str(path))


# --- programs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("old_format", [False, True])
@pytest.mark.parametrize("tools", [True, False])
def test_no_variable_and_no_older_torch_lets_a_payload_run(
    path, canary, old_format, tools, monkeypatch
):
    """Whoever set the variable for another program, and torch before 2.6."""
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    if not tools:
        monkeypatch.delattr(torch.serialization, "get_unsafe_globals_in_checkpoint")
    state = torch.load(path, weights_only=True)
    torch.save(state, path, _use_new_zipfile_serialization=not old_format)
    safe_loading.load_checkpoint(str(path))
    state["surprise"] = Evil(canary)
    torch.save(state, path, _use_new_zipfile_serialization=not old_format)
    for read in (
        safe_loading.check,
        safe_loading.load,
        checkpoint_utils.load_checkpoint_to_cpu,
        checkpoint_utils.load_ema_from_checkpoint,
    ):
        with pytest.raises(Exception, match="system"):
            read(str(path))
        assert not canary.exists()


PROGRAMS = [
    ("mem_transformer", "adaptive_softmax_cutoff"),
    ("mem_transformer", "encoder_xformers_att_config"),
    ("mem_transformer", "decoder_xformers_att_config"),
    ("transformer", "adaptive_softmax_cutoff"),
    ("transformer", "encoder_xformers_att_config"),
    ("fconv", "encoder_layers"),
    ("fconv", "decoder_attention"),
    ("lightconv", "encoder_kernel_size_list"),
    ("fconv_self_att", "encoder_attention"),
]


@pytest.mark.parametrize(("model", "setting"), PROGRAMS)
def test_no_setting_is_run_as_a_program(path, canary, model, setting):
    state = torch.load(path, weights_only=True)
    flags = {**vars(state["cfg"]["model"]), "_name": model, "arch": model}
    program = f"__import__('pathlib').Path({str(canary)!r}).touch()"
    if "fconv" in model:
        for name in ("encoder_layers", "decoder_layers"):
            del flags[name]
    state["cfg"]["model"] = Namespace(**{**flags, setting: program})
    torch.save(state, path)
    with pytest.raises(MemtxError) as error:
        checkpoint_utils.load_model_ensemble_and_task([str(path)])
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.training
@pytest.mark.parametrize("command", ["generate", "interactive", "validate"])
def test_no_command_runs_a_program_of_a_checkpoint(command, trained, toy_data, tmp_path, canary):
    from conftest import fail

    state = torch.load(trained / "checkpoint_last.pt", weights_only=True)
    program = f"__import__('pathlib').Path({str(canary)!r}).touch()"
    state["cfg"]["model"].encoder_xformers_att_config = program
    torch.save(state, tmp_path / "evil.pt")
    flags = {"interactive": ["-s", "src", "-t", "tgt"], "validate": ["--max-tokens", 200]}
    line = fail(
        f"fairseq-{command}", toy_data, "--user-dir", "fairseq_memtx", "--cpu",
        "--task", "translation", "--path", tmp_path / "evil.pt", *flags.get(command, []),
    )  # fmt: skip
    assert "evil.pt" in line
    assert "__import__" in line


@pytest.mark.training
def test_no_override_on_the_command_line_is_run(trained, toy_data, canary):
    """``fairseq-validate`` gives the text of ``--model-overrides`` to ``eval``."""
    from conftest import fail

    program = f"__import__('pathlib').Path({str(canary)!r}).touch()"
    line = fail(
        "fairseq-validate", toy_data, "--user-dir", "fairseq_memtx", "--cpu",
        "--task", "translation", "--path", trained / "checkpoint_last.pt", "--max-tokens", 200,
        "--model-overrides", program,
    )  # fmt: skip
    assert "is no plain value" in line
