"""Checkpoints and number flags of all families, and the commands themselves."""

import copy
import io
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import mutations
import pytest
import torch
from conftest import run
from fairseq import checkpoint_utils, tasks
from hypothesis import strategies as st
from referee import Line, write
from tiny_models import MODELS, SETS, checkpoint, configuration, whole_sets

from fairseq_memtx.checkpoints.averaging import average
from fairseq_memtx.data import data_folder

pytestmark = pytest.mark.fuzz

TENSORS = [
    torch.full((3,), float("nan")), torch.tensor([1, 2]), torch.zeros(2, dtype=torch.complex64),
    torch.empty(0), torch.zeros(1, 1, 1, 1), torch.empty(4, device="meta"),
    torch.tensor(float("inf")),
]  # fmt: skip


def changed(state: Any, place: int, choice: int) -> Any:
    """A checkpoint with another value, or one of another kind, somewhere."""
    values = copy.deepcopy([*mutations.VALUES, *TENSORS])  # lists among them are put into others
    if choice % 29 == 0 or not isinstance(state, dict) or not state:
        return values[place % len(values)]
    owner, name = mutations.nth_place(state, place)
    if choice % 7 == 0:
        del owner[name]
    elif choice % 7 == 1:
        owner[name] = {f"{name}": owner[name]}
    else:
        owner[name] = values[choice % len(values)]
    return state


def loaded(folder: Path, kind: str) -> None:
    """Load a checkpoint as all commands do, and use the model; average it."""
    path = folder / "checkpoint.pt"
    write(folder, whole_sets()[f"{SETS.get(kind, kind)} mmap"])
    models, _, _ = checkpoint_utils.load_model_ensemble_and_task(
        [str(path)], arg_overrides={"data": str(folder)}
    )
    tokens = torch.tensor([[4, 5, 2]])
    inputs = {"src_tokens": tokens, "src_lengths": torch.tensor([3])}
    if kind == "translation":
        inputs["prev_output_tokens"] = tokens
    with torch.no_grad():
        out = models[0].eval()(**inputs)[0]
    assert out.isfinite().all()
    average([path])


@pytest.mark.parametrize("kind", MODELS)
def test_bytes_of_checkpoints(fuzz, kind):
    def case(folder: Path, files: dict[str, bytes]) -> None:
        write(folder, files)
        loaded(folder, kind)

    whole = mutations.broken({"checkpoint.pt": checkpoint(kind)})
    fuzz(f"bytes of checkpoints, {kind}", whole, case)


@pytest.mark.parametrize("kind", MODELS)
def test_contents_of_checkpoints(fuzz, kind):
    def case(folder: Path, changes: list[tuple[int, int]]) -> None:
        state = torch.load(io.BytesIO(checkpoint(kind)), weights_only=True)
        for place, choice in changes:
            state = changed(state, place, choice)
        torch.save(state, folder / "checkpoint.pt")
        loaded(folder, kind)

    change = st.tuples(st.integers(0, 1 << 16), st.integers(0, 1 << 16))
    fuzz(f"contents of checkpoints, {kind}", st.lists(change, min_size=1, max_size=2), case)


NUMBER_FLAGS = {
    "translation": "--memory-tokens --encoder-embed-dim --encoder-layers --dropout "
    "--encoder-attention-heads --max-source-positions --decoder-layers --encoder-layerdrop "
    "--max-tokens --batch-size --lr --max-epoch --max-update --update-freq --seed --clip-norm",
    "one text": "--memory-tokens --decoder-embed-dim --decoder-layers --tokens-per-sample "
    "--window-segments --stride-segments --segment-curriculum --cache-length --dropout "
    "--batch-size --adaptive-softmax-cutoff --adaptive-softmax-dropout --decoder-layerdrop",
    "masked": "--memory-tokens --chunk-size --encoder-layers --max-positions --tokens-per-sample "
    "--mask-prob --leave-unmasked-prob --random-token-prob --encoder-attention-heads --dropout",
    "labels": "--num-classes --max-positions --init-token --separator-token --pooler-dropout "
    "--memory-tokens --chunk-size",
    "tags": "--max-positions --chunk-size --pooler-dropout --memory-tokens",
}
NUMBERS = st.sampled_from([number.decode() for number in mutations.NUMBERS if len(number) < 999])


@pytest.mark.parametrize("kind", MODELS)
def test_numbers_of_flags(fuzz, kind):
    def case(folder: Path, flags: dict[str, str]) -> None:
        write(folder, whole_sets()[f"{SETS.get(kind, kind)} mmap"])
        said = io.StringIO()
        try:
            with redirect_stderr(said):
                cfg = configuration(kind, folder, *(f"{name}={n}" for name, n in flags.items()))
        except SystemExit:
            raise Line(said.getvalue().strip().split("\n")[-1]) from None
        task = tasks.setup_task(cfg.task)
        model = task.build_model(cfg.model)
        task.build_criterion(cfg.criterion)
        data_folder.check(task)
        task.load_dataset("train")
        batches = task.get_batch_iterator(
            task.dataset("train"), cfg.dataset.max_tokens, cfg.dataset.batch_size,
            max_positions=task.max_positions(), ignore_invalid_inputs=True, epoch=1,
        ).next_epoch_itr(shuffle=False)  # fmt: skip
        for batch in batches:
            model(**batch["net_input"])
            break

    names = st.sampled_from(NUMBER_FLAGS[kind].split())
    usual = st.sampled_from(["0", "1", "2", "4", "0.1"])
    flags = st.dictionaries(names, NUMBERS | usual, min_size=1, max_size=2)
    fuzz(f"numbers of flags, {kind}", flags, case, share=0.1)


USER = ["--user-dir", "fairseq_memtx"]
COMMANDS = {
    "translation": [
        ["fairseq-generate", "DATA", *USER, "--cpu", "--path", "PATH", "--gen-subset", "train"],
        ["fairseq-interactive", "DATA", *USER, "--cpu", "--path", "PATH"],
        ["fairseq-train", "DATA", *USER, "--cpu", *MODELS["translation"].split(), "--max-tokens",
         "40", "--max-update", "1", "--restore-file", "PATH", "--valid-subset", "train"],
    ],
    "one text": [
        ["fairseq-eval-lm", "DATA", *USER, "--cpu", "--path", "PATH", "--gen-subset", "train"],
    ],
    "masked": [
        ["fairseq-validate", "DATA", *USER, "--cpu", "--path", "PATH", "--valid-subset", "train",
         "--task", "masked_lm", "--batch-size", "2"],
    ],
    "labels": [
        ["fairseq-validate", "DATA", *USER, "--cpu", "--path", "PATH", "--valid-subset", "train",
         "--task", "sentence_prediction", "--criterion", "sentence_prediction", "--batch-size",
         "2"],
    ],
    "tags": [
        ["fairseq-validate", "DATA", *USER, "--cpu", "--path", "PATH", "--valid-subset", "train",
         "--task", "sequence_tagging", "--batch-size", "2"],
    ],
}  # fmt: skip


def test_commands(fuzz):
    """A share of the same through fairseq's commands, each in a process of its own."""

    def case(folder: Path, given: tuple[str, int, dict[str, bytes]]) -> None:
        kind, number, files = given
        write(folder, files)
        command = COMMANDS[kind][number % len(COMMANDS[kind])]
        places = {"DATA": folder / "data", "PATH": folder / "checkpoint.pt"}
        ended = run(*(places.get(word, word) for word in command), input="w1 w2\n\nw3\n")
        if ended.returncode:
            line = ended.stderr.strip().split("\n")[-1]
            assert "Traceback" not in ended.stderr, f"{' '.join(command)}: {line}"
            raise Line(line)

    def of_kind(kind: str) -> st.SearchStrategy:
        sets = whole_sets()[f"{SETS.get(kind, kind)} mmap"]
        files = {f"data/{name}": content for name, content in sets.items()}
        files["checkpoint.pt"] = checkpoint(kind)
        return st.tuples(st.just(kind), st.integers(0, 9), mutations.broken(files))

    fuzz("commands", st.one_of(*map(of_kind, MODELS)), case, share=0.03)
