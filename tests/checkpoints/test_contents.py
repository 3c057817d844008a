"""Whatever a checkpoint holds, it loads right or ends in one line that names it."""

import argparse
import copy
from argparse import Namespace

import checkpoint_states
import numpy as np
import pytest
import torch
from fairseq import checkpoint_utils, tasks
from fairseq.logging import metrics
from fairseq.optim import OPTIMIZER_REGISTRY
from fairseq.tasks.masked_lm import MaskedLMConfig

from fairseq_memtx.checkpoints import contents, safe_loading
from fairseq_memtx.errors import MemtxError

WEIGHT = "encoder.layers.0.fc1.weight"  # 32 x 16
MOMENTS, GROUP = "last_optimizer_state/state/0", "last_optimizer_state/param_groups/0"


@pytest.fixture
def data(tmp_path):
    """A data folder with dictionaries."""
    return checkpoint_states.folder(tmp_path)


@pytest.fixture
def state(data):
    """A whole checkpoint, as it is saved."""
    return checkpoint_states.whole(data)


def put(state: dict, where: str, value: object) -> dict:
    """The state with something else at a place such as ``extra_state.train_iterator``."""
    *outer, last = where.split("/")
    for name in outer:
        state = state[int(name) if name.isdecimal() else name]
    if isinstance(state, Namespace):
        setattr(state, last, value)
    elif value is GONE:
        del state[last]
    else:
        state[int(last) if last.isdecimal() else last] = value


def use(state: object, path) -> torch.nn.Module:
    """Save it and load it as ``fairseq-generate`` and the hub do."""
    torch.save(state, path)
    (model,), _, _ = checkpoint_utils.load_model_ensemble_and_task([str(path)])
    return model


GONE = object()

RUN = {
    "criterion_name": "CrossEntropyCriterion",
    "optimizer_name": "FairseqAdam",
    "lr_scheduler_state": {},
    "num_updates": 3,
}

RIGHT = {
    "whole": [],
    "without training state": [("last_optimizer_state", GONE), ("task_state", GONE)],
    "averaged": [("last_optimizer_state", None), ("criterion", GONE)],
    "of several workers": [("extra_state/previous_training_time", torch.tensor(2.0))],
    "trained twice": [("optimizer_history", [{"num_updates": None}, RUN])],
    "with BLEU": [("extra_state/best", np.float64(3.5))],
    "with a version of whole numbers": [("model/decoder.version", torch.tensor([3]))],
    "in half precision": [(f"model/{WEIGHT}", torch.ones(32, 16).half())],
    "with parameters": [(f"model/{WEIGHT}", torch.nn.Parameter(torch.ones(32, 16)))],
    "with a slice of a long tensor": [(f"model/{WEIGHT}", torch.ones(64, 16)[::2])],
    "with states of streams": [
        ("extra_state/train_iterator/streams", [None, {}, {"layers.0.A": torch.ones(2, 3, 4)}])
    ],
    "with states that have no names": [
        ("extra_state/train_iterator/streams", [(torch.ones(2, 1, 4), None, None), ()])
    ],
    "with a user_dir that is nowhere": [("cfg/common/user_dir", "/nowhere/at_all")],
    "with a hydra target": [("cfg/common/_target_", "os.abort")],
    "with one interpolation": [("cfg/common/log_file", "${common.wandb_project}")],
}


@pytest.mark.parametrize("changes", RIGHT.values(), ids=RIGHT)
def test_what_fairseq_writes_is_loaded(state, changes, tmp_path):
    for where, value in changes:
        put(state, where, value)
    model = use(state, tmp_path / "right.pt")
    for name, value in model.state_dict().items():
        if name in state["model"]:
            assert torch.equal(value, state["model"][name].to(value.dtype)), name


@pytest.mark.parametrize(
    "name", ["adam", "adamax", "adafactor", "adagrad", "adadelta", "nag", "sgd"]
)
def test_the_states_of_all_optimizers_are_known(name, state):
    """Those that fairseq has without further packages; after a step, with all they keep."""
    weight = torch.nn.Parameter(torch.ones(3, 2))
    kind, flags = OPTIMIZER_REGISTRY[name], argparse.ArgumentParser()
    kind.add_args(flags)
    settings = flags.parse_args([])
    settings.lr, settings.momentum, settings.adam_betas = [0.1], 0.9, "(0.9, 0.98)"
    optimizer = kind(settings, [weight])
    weight.sum().backward()
    optimizer.step()
    state["last_optimizer_state"] = optimizer.state_dict()
    assert state["last_optimizer_state"]["state"]
    contents.check(state, "right.pt")


def number(kind):
    return torch.ones(32, 16).to(kind)


def ones_but(number: str):
    weights = torch.ones(32, 16)
    weights[3, 4] = float(number)
    return weights


BROKEN = [
    *[("", value) for value in (None, 7, "text", [1], (1, 2), {}, torch.ones(3), {1: 2})],
    *[(part, GONE) for part in ("model", "cfg", "extra_state", "optimizer_history")],
    *[(p, v) for p in ("model", "extra_state", "optimizer_history") for v in (None, 3, "x", [1])],
    *[("cfg", value) for value in (None, 3, "common: {}", [1], {})],
    *[("args", value) for value in (3, "x", [1], {"arch": "x"})],
    *[("last_optimizer_state", value) for value in (3, "x", [1])],
    *[("task_state", value) for value in (None, 3, "x", [1])],
    ("model", {}),
    *[(f"model/{WEIGHT}", value) for value in (None, "x", 3, 2.5, [1.0], {})],
    *[(f"model/{WEIGHT}", number(kind)) for kind in (torch.int64, torch.complex64, torch.bool)],
    *[(f"model/{WEIGHT}", number(kind)) for kind in (torch.float8_e4m3fn, torch.float8_e5m2)],
    (f"model/{WEIGHT}", number("meta")),
    (f"model/{WEIGHT}", number(torch.float32).to_sparse()),
    (f"model/{WEIGHT}", torch.quantize_per_tensor(torch.ones(32, 16), 0.1, 0, torch.qint8)),
    (f"model/{WEIGHT}", torch.ones(1).expand(32, 16)),
    (f"model/{WEIGHT}", torch.ones(1, 1).expand(10**6, 10**6)),
    *[(f"model/{WEIGHT}", torch.full((32, 16), float(v))) for v in ("nan", "inf", "-inf")],
    *[(f"model/{WEIGHT}", ones_but(v)) for v in ("nan", "inf", "-inf")],
    *[(f"model/{WEIGHT}", torch.ones(shape)) for shape in ((), (0,), (16, 32), (1, 32, 16))],
    ("model/surprise", torch.ones(3)),
    (f"model/{WEIGHT}", GONE),
    *[("cfg/model", value) for value in (None, 3, "x", [1], {}, Namespace(), Namespace(_name=3))],
    *[("cfg/task", value) for value in (None, 3, "x", [1], {}, Namespace(a=1), {"_name": "x"})],
    *[("cfg/criterion", value) for value in (None, GONE, 3, "x", [1], {}, {"_name": "x"})],
    *[("cfg/common/seed", value) for value in (torch.ones(2), b"x", {1, 2}, 1j)],
    *[(f"cfg/{p}", v) for p in ("dataset", "generation") for v in (None, 3, [1], Namespace())],
    *[(f"cfg/{part}", GONE) for part in ("common", "dataset", "generation")],
    *[("cfg/dataset/max_tokens", value) for value in ("x", [1])],
    *[("cfg/model/encoder_layers", value) for value in ("two", None, -1, 3, 2.5, [2], 10**9)],
    *[("cfg/model/encoder_embed_dim", value) for value in ("x", None, -1, 0, 24, 2.5, 10**12)],
    *[("cfg/model/encoder_attention_heads", value) for value in ("x", -1, 0, 3, 2.0, 10**9)],
    *[("cfg/model/memory_tokens", value) for value in ("x", -1, 2.5, [1])],
    *[("cfg/model/dropout", value) for value in ("x", [1])],
    ("cfg/model/dropout", None),
    *[("cfg/model/activation_fn", value) for value in ("nothing", 3, [1])],
    *[("cfg/model/_name", value) for value in ("nothing", "lstm", "roberta")],
    *[(f"cfg/{part}", "x") for part in ("criterion/sentence_avg", "task/truncate_source")],
    *[(f"cfg/{part}", "x") for part in ("bpe", "tokenizer", "scoring")],
    *[("cfg/bpe", value) for value in ({}, {"_name": "nope"})],
    *[("cfg/task/dataset_impl", value) for value in ([1], {})],
    *[("cfg/task/data", value) for value in (None, 3, "nowhere", ["nowhere"])],
    *[("extra_state/train_iterator", value) for value in (None, 3, "x", [1], {"epoch": "x"})],
    *[("extra_state/train_iterator/epoch", value) for value in (None, "x", 1.5, -3, True)],
    *[("extra_state/train_iterator/iterations_in_epoch", v) for v in (None, "x", 1.5, -3)],
    *[("extra_state/train_iterator/version", value) for value in (None, "x")],
    *[("extra_state/train_iterator/updates", value) for value in (None, "x")],
    *[("extra_state/train_iterator/layout", value) for value in (None, 3, "x")],
    *[("extra_state/train_iterator/streams", value) for value in (3, "x", ["x"], [(None,) * 9])],
    *[(f"extra_state/{name}", v) for name in ("best", "val_loss") for v in ("x", [1])],
    *[("extra_state/previous_training_time", value) for value in (None, "x", torch.ones(2))],
    *[("extra_state/metrics", value) for value in (None, 3, "x", [1], {"default": 3})],
    *[("extra_state/metrics/default/0", value) for value in (3, (1, 2), (0, "a", "Counter", {}))],
    ("extra_state/metrics/default/0", ("x", None, "AverageMeter", {})),
    ("extra_state/metrics/default/0", (0, "loss", "AverageMeter", {"val": "x"})),
    ("extra_state/train_iterator/streams", [torch.ones(2)]),
    ("extra_state/train_iterator/streams", [(torch.tensor(2.0),)]),
    ("extra_state/train_iterator/streams", [{"memory": torch.tensor(2.0)}]),
    ("extra_state/train_iterator/streams", [{"memory": None}]),
    ("extra_state/train_iterator/streams", [{3: torch.ones(2, 1, 4)}]),
    *[
        ("extra_state/train_iterator/streams", [state])
        for state in (
            (torch.ones(2, 2, 8), torch.ones(2, 3), None),
            (None, torch.ones(2, 1, 3, 8), torch.ones(2, 3)),
            (None, None, torch.ones(2, 3).bool()),
            {"memory": torch.ones(2, 2)},
            {"memory": torch.ones(2, 2, 8), "layers.0.rows": torch.ones(3, 2, 8)},
            {"layers.0.visible": torch.ones(2, 3)},
            {1: torch.ones(2, 2, 8)},
        )
    ],
    ("extra_state/train_iterator/window", 3),
    ("extra_state/train_iterator/epoch", 10**12),
    *[("optimizer_history", value) for value in ([], [None], ["x"])],
    *[("optimizer_history/0/num_updates", value) for value in (None, "x", 1.5, -1)],
    *[("optimizer_history/0/lr_scheduler_state", value) for value in (None, "x", [1])],
    *[(f"optimizer_history/0/{n}_name", v) for n in ("criterion", "optimizer") for v in (None, 3)],
    *[("last_optimizer_state/state", value) for value in (None, "x", [1])],
    *[("last_optimizer_state/param_groups", value) for value in (None, "x", ["x"], [{"lr": "x"}])],
    *[("last_optimizer_state/state/0", v) for v in ("x", {"exp_avg": torch.tensor(float("nan"))})],
    *[(f"{GROUP}/betas", value) for value in ("x", None, (0.9,), (0.9, None))],
    *[(f"{GROUP}/{name}", value) for name in ("eps", "weight_decay") for value in ("x", None)],
    *[(f"{GROUP}/{name}", value) for name, value in {"amsgrad": True, "params": "x"}.items()],
    *[(f"{MOMENTS}/step", value) for value in ("x", None, -5, torch.ones(3), float("nan"))],
    *[(f"{MOMENTS}/exp_avg", value) for value in (None, "x", 3, [1.0], torch.ones(3))],
    (f"{MOMENTS}/exp_avg", torch.ones(4).long()),
    *[(f"{MOMENTS}/exp_avg_sq", value) for value in (GONE, -1.0, torch.full((4,), -1.0))],
]  # fmt: skip


def shown(value: object) -> str:
    """A name for a case, the same in every process."""
    return "gone" if value is GONE else repr(value)[:40]


@pytest.mark.parametrize(("where", "value"), BROKEN, ids=shown)
def test_everything_else_ends_in_one_line(state, where, value, tmp_path):
    if where:
        put(state, where, value)
    path = tmp_path / "broken.pt"
    with pytest.raises(MemtxError) as error:
        use(state if where else value, path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


def test_nothing_is_printed_beside_the_line(state, tmp_path, caplog):
    """Importing fairseq's tasks lets whoever uses Python see what is told for debugging."""
    del state["model"][WEIGHT]
    with caplog.at_level("DEBUG"), pytest.raises(MemtxError):
        use(state, tmp_path / "broken.pt")
    assert not [record for record in caplog.records if record.exc_info]


def test_chances_of_masking_that_make_no_sense(tmp_path):
    """Of a masked language model; a data set would end in an assertion without words."""
    checkpoint_states.words().save(str(tmp_path / "dict.txt"))
    for chance in (0.0, 7.0):
        task = MaskedLMConfig(_name="masked_lm", data=str(tmp_path), mask_prob=chance)
        with pytest.raises(MemtxError, match=f"--mask-prob {chance}"):
            tasks.setup_task(task, from_checkpoint=True)


def test_parts_without_end(state):
    """A list in itself, and small lists that are a million million entries to who follows them."""
    ring: list = []
    ring.append(ring)
    nest: list = []
    for _ in range(500):
        nest = [nest, nest]
    for part in ("cfg", "extra_state", "last_optimizer_state"):
        for endless in (ring, nest):
            broken = {**state, part: {**state[part], "common": {"endless": endless}}}
            with pytest.raises(MemtxError, match=r"^broken.pt .* has more than 100000 entries"):
                contents.check(broken, "broken.pt")


def test_settings_that_read_the_environment_are_refused(state, tmp_path):
    for text in ("${oc.env:HOME}", "http://x/${oc.env:HOME}", "${${a}:b}", "${oc.decode:'1'}"):
        state["cfg"]["common"]["tensorboard_logdir"] = text
        with pytest.raises(MemtxError, match=r"tensorboard_logdir is .* would be evaluated"):
            use(state, tmp_path / "broken.pt")


def test_names_of_parts_are_names(state, tmp_path):
    """Hydra would read a file of the name that ``args`` gives to ``bpe``, wherever it is."""
    state["cfg"], state["args"] = None, checkpoint_states.settings(task="translation")
    for name in ("../../bpe", "/etc/x", 3):
        state["args"].bpe = name
        with pytest.raises(MemtxError, match="for the setting bpe"):
            use(state, tmp_path / "broken.pt")


def test_files_of_the_network_and_devices_are_not_read(state, tmp_path):
    """But fairseq's own files are, and what the user names by hand."""
    path = tmp_path / "other.pt"
    for file in ("http://x/codes", "https://x/codes", "s3://x/codes", "/dev/zero"):
        state["cfg"]["bpe"] = {"_name": "subword_nmt", "bpe_codes": file}
        torch.save(state, path)
        with pytest.raises(MemtxError, match=rf"bpe.bpe_codes would read {file}"):
            checkpoint_utils.load_checkpoint_to_cpu(str(path))
        checkpoint_utils.load_checkpoint_to_cpu(str(path), {"bpe_codes": file})
    file = "https://dl.fbaipublicfiles.com/fairseq/gpt2_bpe/vocab.bpe"
    state["cfg"]["bpe"] = {"_name": "gpt2", "gpt2_vocab_bpe": file, "gpt2_encoder_json": file}
    torch.save(state, path)
    checkpoint_utils.load_checkpoint_to_cpu(str(path))


def test_no_file_is_overwritten_by_a_checkpoints_word(state, tmp_path, caplog):
    """``fairseq-validate`` makes the criterion that the checkpoint names."""
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    names = {"_name": "sentence_ranking", "ranking_head_name": "x", "num_classes": 2}
    for kind in (dict, Namespace):
        state["cfg"]["criterion"] = kind(**names, save_predictions=str(mine))
        torch.save(state, tmp_path / "other.pt")
        load = checkpoint_utils.load_checkpoint_to_cpu
        assert load(str(tmp_path / "other.pt"))["cfg"].criterion.save_predictions is None
        assert f"written to {mine}" in caplog.text
        asked = load(str(tmp_path / "other.pt"), {"save_predictions": "asked for"})
        assert asked["cfg"].criterion.save_predictions == "asked for"


def test_meters_are_those_of_fairseq(state):
    """What ``fairseq-train`` saves is known here, and what is known here it can make."""
    with metrics.aggregate() as kept:
        metrics.log_scalar("loss", 1.0)
        metrics.log_speed("speed", 1.0)
        metrics.log_start_time("wall")
        metrics.log_scalar_sum("sum", 1)
        metrics.log_concat_tensor("tensor", torch.ones(2))
        metrics.log_derived("derived", lambda meters: 1)
    state["extra_state"]["metrics"]["default"] = kept.state_dict()
    contents.check(state, "right.pt")


def test_the_state_is_left_as_it_is(state):
    before = copy.deepcopy(state)
    contents.check(state, "right.pt")
    assert repr(state) == repr(before)


def test_a_checkpoint_as_it_was_written(state, tmp_path):
    torch.save(state, tmp_path / "right.pt")
    assert repr(safe_loading.load_checkpoint(str(tmp_path / "right.pt"))) == repr(state)
    torch.save(state["model"], tmp_path / "weights.pt")
    with pytest.raises(MemtxError, match=r"weights.pt is no checkpoint of fairseq"):
        safe_loading.load_checkpoint(str(tmp_path / "weights.pt"))
