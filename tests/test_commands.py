"""The commands a user runs, on a toy corpus, end to end."""

import re
import sys
from pathlib import Path

import pytest
import torch
from conftest import ROOT, fail, run, succeed, train_flags
from fairseq import checkpoint_utils, options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from gpu_check import warm_commands

from fairseq_memtx.models.mem_transformer import MemoryTransformerModel

PLUGIN = ["--user-dir", "fairseq_memtx", "--cpu"]
# Without it fairseq leaves out the last batch of a set whose size is no multiple of eight.
EVERY_SENTENCE = ["--required-batch-size-multiple", 1]


def generate(data, checkpoint, *flags) -> str:
    return succeed("fairseq-generate", data, *PLUGIN, "--path", checkpoint, *EVERY_SENTENCE, *flags)


def hypotheses(output: str) -> dict[int, str]:
    return {int(n): text for n, text in re.findall(r"^H-(\d+)\t\S+\t(.*)$", output, re.MULTILINE)}


@pytest.fixture(scope="module")
def beam(trained, toy_data) -> str:
    """Beam search of the trained model, with alignments."""
    return generate(
        toy_data, trained / "checkpoint_last.pt", "--beam", 3, "--print-alignment", "hard"
    )


def test_alignments_are_over_source_positions(beam):
    """The model reverses its input, and its alignments say so; memory does not shift them."""
    sources = dict(re.findall(r"^S-(\d+)\t(.*)$", beam, re.MULTILINE))
    pairs = hits = 0
    for index, alignment in re.findall(r"^A-(\d+)\t(.*)$", beam, re.MULTILINE):
        length = len(sources[index].split())
        for pair in alignment.split():
            source = int(pair.split("-")[0])
            assert 0 <= source <= length
            pairs, hits = pairs + 1, hits + (source < length)
    assert pairs > 20
    assert hits > 0.8 * pairs, "the words, not the end of the sentence"


def test_batches_of_any_mixture_translate_alike(beam, trained, toy_data):
    alone = generate(toy_data, trained / "checkpoint_last.pt", "--beam", 3, "--batch-size", 1)
    assert hypotheses(alone) == hypotheses(beam)


def test_alignment_changes_no_translation(beam, trained, toy_data):
    plain = generate(toy_data, trained / "checkpoint_last.pt", "--beam", 3)
    assert hypotheses(plain) == hypotheses(beam)


def test_ensemble_of_a_model_with_itself_is_the_model(beam, trained, toy_data):
    path = trained / "checkpoint_last.pt"
    together = generate(toy_data, f"{path}:{path}", "--beam", 3)
    assert hypotheses(together) == hypotheses(beam)


def test_interactive_with_an_empty_line(beam, trained, toy_data):
    source = re.search(r"^S-0\t(.*)$", beam, re.MULTILINE)[1]
    flags = ["--path", trained / "checkpoint_last.pt", "--beam", 3]
    output = succeed(
        "fairseq-interactive", toy_data, *PLUGIN, *flags, input=f"{source}\n\n{source} one\n"
    )
    found = hypotheses(output)
    assert found[0] == hypotheses(beam)[0]
    assert sorted(found) == [0, 1, 2]


def test_validate(trained, toy_data):
    output = succeed(
        "fairseq-validate", toy_data, *PLUGIN, "--path", trained / "checkpoint_last.pt",
        "--task", "translation", "--max-tokens", 400, "--log-format", "simple",
    )  # fmt: skip
    losses = re.search(r"valid on 'valid' subset \| loss ([\d.]+)", output)
    assert float(losses[1]) < 4


def test_from_pretrained_translates_and_samples(beam, trained, toy_data):
    hub = MemoryTransformerModel.from_pretrained(
        str(trained), "checkpoint_last.pt", str(toy_data), user_dir="fairseq_memtx"
    )
    source = re.search(r"^S-0\t(.*)$", beam, re.MULTILINE)[1]
    assert hub.translate(source, beam=3) == hypotheses(beam)[0]
    (found,) = hub.generate(hub.encode(source), beam=3, print_alignment="hard")[:1]
    expected = re.search(r"^A-0\t(.*)$", beam, re.MULTILINE)[1]
    assert " ".join(f"{src}-{tgt}" for src, tgt in found["alignment"]) == expected
    torch.manual_seed(1)
    sampled = hub.sample([source] * 3, beam=1, sampling=True, temperature=2.0)
    assert len(set(sampled)) > 1


def test_stock_checkpoint_trains_on_with_memory(toy_data, tmp_path):
    """Fairseq's own transformer, then memory extension: the paper's experiment."""
    plain, ours = tmp_path / "plain", tmp_path / "ours"
    succeed("fairseq-train", *plain_flags(toy_data, plain))
    output = succeed(
        "fairseq-train", *train_flags(toy_data, ours), "--finetune-from-model",
        plain / "checkpoint_last.pt",
    )  # fmt: skip
    assert "memory extension: 0 memory tokens come from the checkpoint and 3" in output


def plain_flags(data, save_dir) -> list:
    """The same training of fairseq's transformer, which knows no memory flag."""
    flags = train_flags(data, save_dir, "--arch", "transformer", "--share-all-embeddings")
    position = flags.index("--memory-tokens")
    sizes = ["--encoder-layers", 2, "--decoder-layers", 2, "--encoder-attention-heads", 4]
    return [*flags[:position], *flags[position + 2 :], *sizes, "--decoder-attention-heads", 4]


@pytest.mark.parametrize(
    "flags",
    [
        ["--memory-efficient-fp16"],
        ["--checkpoint-activations", "--arch", "mem_ctrl_shared_transformer_wmt"],
        ["--encoder-layerdrop", 0.3, "--encoder-normalize-before", "--decoder-normalize-before"],
        ["--criterion", "fused_label_smoothed_cross_entropy", "--store-ema", "--update-freq", 2],
    ],
    ids=["fp16", "checkpoint-activations", "layerdrop-prenorm", "fused-ema"],
)
def test_training_options(toy_data, tmp_path, flags):
    small = ["--encoder-layers", 2, "--decoder-layers", 1, "--decoder-attention-heads", 4]
    output = succeed("fairseq-train", *train_flags(toy_data, tmp_path, *small, *flags))
    assert bool(re.search(r"\bloss_scale=", output)) == ("--memory-efficient-fp16" in flags)
    state = checkpoint_utils.load_checkpoint_to_cpu(str(tmp_path / "checkpoint_last.pt"))
    assert all(value.isfinite().all() for value in state["model"].values())


def test_tensorboard(toy_data, tmp_path):
    succeed(
        "fairseq-train", *train_flags(toy_data, tmp_path, "--tensorboard-logdir", tmp_path / "t")
    )
    for part in ("train_inner", "valid"):
        assert list((tmp_path / "t" / part).glob("events.out.tfevents*"))


# --- errors ------------------------------------------------------------------------------------


def test_memory_flags_that_make_no_sense(toy_data, tmp_path):
    save = tmp_path / "ck"
    line = fail("fairseq-train", *train_flags(toy_data, save, "--memory-variant", "tokns"))
    assert line == (
        "fairseq-memtx: error: --memory-variant tokns is unknown: use one of tokens, controller, "
        "shared-controller, bottleneck, bottleneck-skip"
    )
    flags = ["--memory-tokens", 0, "--memory-variant", "bottleneck"]
    assert "bottleneck needs memory" in fail("fairseq-train", *train_flags(toy_data, save, *flags))
    assert not list(save.glob("*.pt"))


def test_long_sources(trained, toy_data):
    path = trained / "checkpoint_last.pt"
    short = ["--model-overrides", "{'max_source_positions': 5}"]
    line = fail("fairseq-generate", toy_data, *PLUGIN, "--path", path, *short)
    assert re.search(r"sentence \d+ has .* tokens", line)
    assert "--max-source-positions" in line
    assert "--skip-invalid-size-inputs-valid-test" in line
    skipped = generate(toy_data, path, *short, "--skip-invalid-size-inputs-valid-test")
    assert 0 < len(hypotheses(skipped)) < 12


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("folder", r"no dictionary .*nowhere/dict\.src\.txt"),
        ("dict.src.txt", r"no dictionary .*dict\.src\.txt"),
        ("train.src-tgt.src.idx", r"train\.src-tgt\.src\.bin has no index"),
        ("train.src-tgt.tgt.bin", "train.src-tgt.tgt.bin is cut off at"),
        ("valid.src-tgt.src.idx:cut", "valid.src-tgt.src.idx is cut off"),
        ("both", "no 'valid' set"),
    ],
)
def test_damaged_data_folder(toy_data, tmp_path, damage, says):
    data = tmp_path / "bin"
    data.mkdir()
    for file in toy_data.iterdir():
        (data / file.name).write_bytes(file.read_bytes())
    name, _, cut = damage.partition(":")
    if damage == "folder":
        data = tmp_path / "nowhere"
    elif damage == "both":
        for file in data.glob("valid*"):
            file.unlink()
    elif cut or name.endswith(".bin"):
        content = (data / name).read_bytes()
        (data / name).write_bytes(content[: len(content) // 2])
    else:
        (data / name).unlink()
    line = fail("fairseq-train", *train_flags(data, tmp_path / "ck"))
    assert line.startswith("fairseq-memtx: error: ")
    assert re.search(says, line)
    assert "fairseq-preprocess" in line


def test_folder_without_a_language_pair(tmp_path):
    line = fail(
        "fairseq-train", tmp_path, *PLUGIN, "--arch", "mem_transformer_tiny", "--max-tokens", 9
    )
    assert "the language pair could not be read from the data folder" in line
    assert f"the data folder {tmp_path} is empty" in line


def test_missing_checkpoint(toy_data):
    line = fail("fairseq-generate", toy_data, *PLUGIN, "--path", "nowhere.pt")
    assert line == "fairseq-memtx: error: there is no checkpoint nowhere.pt: check --path"


def test_a_generator_advises_no_flags_of_a_training(toy_data, trained):
    path, overrides = trained / "checkpoint_last.pt", "{'encoder_layers': 3}"
    flags = ["--path", path, "--model-overrides", overrides]
    line = fail("fairseq-generate", toy_data, *PLUGIN, *flags)
    assert "the checkpoint is of another model" in line
    assert not re.search("--(save-dir|arch|finetune-from-model)", line)


def test_settings_are_parsed_before_a_command_of_the_tests():
    """Which spares a fifth of it; the settings are those that it is given all the same.

    They need not be where the tests are started from elsewhere than the top of a clone.
    """
    before, *settings = run("test_commands:tell_settings", "--lr", 0.125).stdout.split()
    assert before == "True" or Path.cwd() != ROOT
    assert settings == ["[0.125]", "data"]


def tell_settings() -> None:
    """Print whether they were, and some of a command."""
    args = options.parse_args_and_arch(
        options.get_training_parser(), ["data", "--arch", "transformer", *sys.argv[1:]]
    )
    cfg = convert_namespace_to_omegaconf(args)
    before = warm_commands.PARSED_SETTINGS in sys.modules
    print(before, cfg.optimization.lr, cfg.task.data)
