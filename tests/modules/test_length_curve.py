"""A row that is read window by window, and what is measured of it."""

import json
from argparse import Namespace

import pytest
import torch
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

from fairseq_memtx.data.facts.curve_windows import WINDOW, CurveWindows
from fairseq_memtx.errors import MemtxError
from fairseq_memtx.modules import length_curve
from fairseq_memtx.modules.length_curve import LengthCurve
from fairseq_memtx.modules.peak_memory import FORGET, PeakMemory


@pytest.fixture(params=["transformer", "transformer-xl"])
def task_and_model(request):
    arguments = [
        "--task", "facts_in_noise", "--arch", "rmt_lm_tiny", "--backbone", request.param,
        "--tokens-per-sample", "4", "--memory-tokens", "2", "--valid-size", "3",
    ]  # fmt: skip
    if request.param == "transformer-xl":
        arguments += ["--cache-length", "3"]
    parser = options.get_training_parser()
    cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, arguments))
    task = tasks.setup_task(cfg.task)
    torch.manual_seed(1)
    model = task.build_model(cfg.model).eval().double()
    for weight in model.parameters():
        weight.data *= 2  # so that memory decides which word is the likeliest
    return task, model


def test_windows_give_what_the_whole_row_gives(task_and_model, tmp_path):
    """Answers that are the model's own likeliest words: all are right, and none if one is moved."""
    task, model = task_and_model
    lengths = [5, 2 * WINDOW + 3]
    examples = task.examples("valid")
    windows = CurveWindows(examples, 4, lengths, batch_size=2)
    likeliest, in_last_window = {}, {}
    for segments in lengths:
        for example in range(3):
            row = torch.from_numpy(examples.row(example, 4 * segments).window(0, 4 * segments))
            for found, tokens in [(likeliest, row), (in_last_window, row[-4 * 3 :])]:
                with torch.no_grad():
                    found[segments, example] = int(model(tokens[None])[0][0, -1].argmax())
    assert len(set(likeliest.values())) > 1
    assert likeliest != in_last_window, "memory matters"
    for moved, accuracy in [(0, 1.0), (1, 0.0)]:
        curve = LengthCurve(0.25, tmp_path / "curve.jsonl")
        for number in range(len(windows)):
            sample = windows[number]
            right = [likeliest[sample["segments"], int(example)] for example in sample["id"]]
            curve.step({**sample, "answers": torch.tensor(right) + moved}, model)
            assert not curve.holder.memories[-1].requires_grad, "or all windows stay in store"
        assert [(p.segments, p.tokens, p.examples) for p in curve.points] == [
            (segments, 4 * segments, 3) for segments in lengths
        ]
        assert [p.accuracy for p in curve.points] == [accuracy] * 2
    lines = (tmp_path / "curve.jsonl").read_text().splitlines()
    assert [json.loads(line)["tokens"] for line in lines] == [20, 4 * (2 * WINDOW + 3)]
    assert json.loads(lines[0]) == vars(curve.points[0])
    assert [line.split()[:2] for line in curve.table().splitlines()[1:]] == [
        ["5", "20"],
        ["67", "268"],
    ]


def test_time_and_memory_are_of_one_length(monkeypatch):
    times = iter([1.0, 3.0, 10.0, 15.0])
    monkeypatch.setattr(length_curve.time, "perf_counter", lambda: next(times))
    peaks = {torch.device("meta"): iter([7.0, 5.0])}
    monkeypatch.setattr(
        length_curve, "PeakMemory", lambda where: Namespace(megabytes=lambda: next(peaks[where]))
    )

    class Model:
        def __call__(self, src_tokens, holder):
            return torch.eye(4)[[src_tokens.size(1)] * 3].unsqueeze(1)

        def get_normalized_probs(self, output, log_probs):
            return output

    curve = LengthCurve(0.5, None)
    for segments in (1, 2):
        rows = torch.empty(3, segments, device="meta")
        marks = dict.fromkeys(("begins", "first", "last", "ends"), True)
        curve.step(
            {
                "net_input": {"src_tokens": rows}, "segments": segments, "tokens": 8 * segments,
                "answers": torch.tensor([1, 2, 2]), **marks,
            },
            Model(),
        )  # fmt: skip
    assert [(p.seconds, p.tokens_per_second) for p in curve.points] == [(2.0, 12.0), (5.0, 9.6)]
    assert [p.peak_megabytes for p in curve.points] == [7.0, 5.0]
    assert [p.chance for p in curve.points] == [0.5, 0.5]
    names, first, _ = map(str.split, curve.table().splitlines())
    assert dict(zip(names, first)) == {
        "segments": "1", "tokens": "8", "accuracy": "0.3333", "examples": "3", "chance": "0.5000",
        "seconds": "2.0", "tokens/s": "12", "peak": "7",
    }  # fmt: skip
    assert [p.accuracy for p in curve.points] == [1 / 3, 2 / 3]


@pytest.mark.skipif(not FORGET.exists(), reason="the system does not forget a peak")
def test_an_earlier_peak_is_forgotten():
    first = PeakMemory(torch.device("cpu"))
    block = torch.ones(100_000_000)
    del block
    high = first.megabytes()
    second = PeakMemory(torch.device("cpu"))
    assert high - second.megabytes() == pytest.approx(400, abs=6)


def test_a_file_that_cannot_be_written_is_told_before_anything_is_measured(tmp_path):
    with pytest.raises(MemtxError, match=r"missing/curve.jsonl cannot be written: No such file"):
        LengthCurve(0.25, tmp_path / "missing" / "curve.jsonl")
