"""Which errors end in one line, and which keep their traceback."""

import numpy as np
import pytest
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationKeyError

from fairseq_memtx import errors
from fairseq_memtx.errors import MemtxError, explain


@pytest.fixture(autouse=True)
def no_checkpoint_before(monkeypatch):
    """Other tests of the same process may have begun with one."""
    monkeypatch.setattr(errors, "_begun_with", None)


def raised(function) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        function()
    return caught.value


def test_an_error_and_its_cause():
    def with_cause():
        try:
            raise MemtxError("mend this")
        except MemtxError as cause:
            raise RuntimeError("failed") from cause

    assert explain(raised(with_cause)) == "mend this"
    assert explain(ValueError("other")) is None


def test_numbers_are_printed_plainly():
    sizes = (np.int64(900), np.int32(-3), np.float32(0.5))
    said = f"Size of sample #7 is invalid (={sizes}) since max_positions=(512, 512), skip this"
    line = explain(Exception(said))
    assert "has (900, -3, 0.5) tokens" in line
    assert explain(MemtxError(f"lengths {[np.int64(4)]}")) == "lengths [4]"


def test_an_error_while_another_is_handled_is_not_hidden():
    def in_a_handler():
        try:
            raise MemtxError("mend this")
        except MemtxError:
            raise ZeroDivisionError("a real one")  # noqa: B904

    assert explain(raised(in_a_handler)) is None


def test_what_fairseqs_trainer_puts_in_the_place_of_an_error():
    def in_the_trainer():
        try:
            raise MemtxError("the checkpoint is of another model")
        except Exception:
            raise Exception("Cannot load model parameters from checkpoint x.pt; please ensure")  # noqa: B904

    assert explain(raised(in_the_trainer)) == "the checkpoint is of another model"

    def on_its_own():
        raise Exception("Cannot load model parameters from checkpoint x.pt") from None

    assert explain(raised(on_its_own)) is None


def test_values_of_any_length_are_shortened():
    """What a file holds may fill a screen; file and advice stand at both ends of the line."""
    line = explain(MemtxError(f"checkpoint a.pt has {'x' * 100_000}: use another one"))
    assert len(line) < 1100
    assert line.startswith("checkpoint a.pt has xxx")
    assert line.endswith("xxx: use another one")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("Cannot combine manual lr and relative_step options"), "--relative-step"),
        (
            NotImplementedError("--fp16-adam-stats is only supported with FusedAdamV1"),
            "--fp16-adam-stats needs",
        ),
        (ValueError("--share-all-embeddings requires a joined dictionary"), "--share-all-emb"),
        (
            InterpolationKeyError(
                "Interpolation key 'criterion.classification_head_name' not found\n"
                "    full_key: task.classification_head_name"
            ),
            "--criterion is missing",
        ),
    ],
)
def test_what_fairseq_says_of_flags(error, line):
    assert explain(error).startswith(line)


def test_what_comes_up_when_a_checkpoint_is_used_names_it():
    """Its place in the data, its optimizer and its settings are used long after it was loaded."""
    missing = raised(lambda: OmegaConf.create({"a": 1}).missing["x"])
    assert explain(missing) is None
    assert explain(MemtxError("the checkpoint was written")) == "the checkpoint was written"
    errors.begin_with("save/checkpoint_last.pt")
    line = explain(MemtxError("the checkpoint was written in the middle"))
    assert line == "the checkpoint save/checkpoint_last.pt was written in the middle"
    misfit = ValueError("loaded state dict contains a parameter group that does not match")
    assert "in the checkpoint save/checkpoint_last.pt does not fit" in explain(misfit)
    line = explain(missing)
    assert line.startswith("checkpoint save/checkpoint_last.pt has settings that do not do: ")
    assert "\n" not in line


def _generate():
    """As in fairseq, by name and words."""
    raise AssertionError("5 < 5")


def test_weights_without_sense():
    assert "give no probabilities" in explain(raised(_generate))
    line = explain(FloatingPointError("gradients are Nan/Inf"))
    assert line.startswith("the gradients of this step are NaN or infinite")
