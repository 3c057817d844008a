"""``scripts/benchmarks`` run and reports; what it measures is in the README."""

import json
import os
from pathlib import Path
from typing import Callable

import pytest
from benchmarks import cost_sweeps, costs, long_documents
from conftest import ROOT, fail, succeed

from fairseq_memtx.memory import MemoryTokens


def benchmark(result: Callable, *arguments: object) -> str:
    """Run one as ``run.sh`` does, but in a process that has torch loaded."""
    path = os.pathsep.join([str(ROOT / "scripts"), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path}
    return result("benchmarks.__main__:main", *arguments, env=environment)


# A stand-in with the interface of https://github.com/booydar/LM-RMT, and with its habits.
PUBLISHED = {
    "utils/proj_adaptive_softmax.py": """
import torch

CUDA_MAJOR = int(torch.version.cuda.split('.')[0])
""",
    "mem_transformer.py": """
import torch
from torch import nn
from proj_adaptive_softmax import CUDA_MAJOR


class MemTransformerLM(nn.Module):
    def __init__(self, n_token, n_layer, n_head, d_model, d_head, d_inner, dropout, dropatt,
                 tgt_len, ext_len, mem_len, num_mem_tokens, mem_at_end=True):
        super().__init__()
        assert (n_head * d_head, mem_len, mem_at_end) == (d_model, 0, True)
        self.mem_tokens = nn.Parameter(torch.Tensor(num_mem_tokens, 1, d_model))
        self.embedding = nn.Embedding(n_token, d_model)
        self.layers = nn.ModuleList([nn.Module()])
        self.layers[0].pos_ff = nn.Module()
        self.layers[0].pos_ff.CoreNet = nn.Sequential(
            nn.Linear(d_model, d_inner), nn.ReLU(), nn.Dropout(dropout), nn.Linear(d_inner, d_model)
        )

    def forward(self, data, target, *mems, mem_tokens=None):
        assert data.shape == target.shape and data.size(1) == mem_tokens.size(1)
        assert not mem_tokens.requires_grad
        hidden = self.layers[0].pos_ff.CoreNet(self.embedding(data) + mem_tokens.mean(0))
        loss = nn.functional.cross_entropy(
            (hidden @ self.embedding.weight.T).flatten(0, 1), target.flatten(), reduction='none'
        )
        return [mem_tokens + hidden.mean(0), loss.view_as(target)]
""",
    "train.py": """
import argparse
import torch
from pathlib import Path
from mem_transformer import MemTransformerLM
parser = argparse.ArgumentParser()
for name in ["data", "dataset", "dropout", "optim", "lr", "clip", "scheduler", "seed"]:
    parser.add_argument(f"--{name}")
for name in ["n_layer", "n_head", "d_model", "d_head", "d_inner", "tgt_len", "mem_len",
             "num_mem_tokens", "batch_size", "max_step", "log-interval"]:
    parser.add_argument(f"--{name}", type=int, required=True)
for name in ["mem_at_end", "debug", "multi_gpu"]:
    parser.add_argument(f"--{name}", action="store_true", required=True)
args = parser.parse_args()
assert args.n_head * args.d_head == args.d_model and not args.mem_len
symbols = {split: Path(args.data, f"{split}.txt").read_text().split()
           for split in ("train", "valid", "test")}
cache = Path(args.data, "cache.pt")
torch.save(symbols, cache)
assert not cache.exists(), "a pickle, which torch would not read in the next round"
assert len(symbols["train"]) > args.batch_size * args.tgt_len * args.max_step
for step in range(args.log_interval, args.max_step + 1, args.log_interval):
    print(f"| epoch   1 step {step:>8d} | {step:>6d} batches | lr 0.0001 | ms/batch "
          f"{7 if step == args.log_interval else 512:5.2f} | loss  5.34")
Path("model.pt").open()  # it looks for a model that it has not saved
""",
}


def published(folder: Path) -> Path:
    """A checkout with the stand-in."""
    for name, code in PUBLISHED.items():
        file = folder / "checkout/pytorch" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code)
    return folder / "checkout"


def test_translation_benchmark_reports_both_speeds(tmp_path):
    output = benchmark(
        succeed, "translation", "--tiny", "--rounds", 1, "--json", tmp_path / "speed.json"
    )
    result = json.loads((tmp_path / "speed.json").read_text())
    for measure in ("training", "generation"):
        row = result[measure]
        ratio = row["mem_transformer"] / row["transformer"]
        assert abs(row["ratio"] - ratio) < 1e-9, "one round: the ratio of the medians"
        assert f"{row['ratio']:.3f}" in output
        assert min(row["mebibytes"].values()) > 0
    assert {"processor", "instructions", "precision"} <= result["machine"].keys()
    assert result["machine"]["processor"] in output
    assert {"cores", "threads", "torch", "fairseq"} <= result["machine"].keys()


def test_language_model_benchmark_reports_all_speeds(tmp_path):
    output = benchmark(
        succeed, "language_model", "--tiny", "--rounds", 1,
        "--published", published(tmp_path), "--json", tmp_path / "speed.json",
    )  # fmt: skip
    result = json.loads((tmp_path / "speed.json").read_text())
    assert (result["benchmark"], result["rounds"], result["seed"]) == ("language_model", 1, 1)
    assert {"cores", "threads", "torch", "fairseq"} <= result["machine"].keys()
    sizes = result["sizes"]

    training = result["training"]
    assert len(training) == 7
    assert all(row["mebibytes"] > 0 for row in training.values())
    ours = [name for name in training if name.startswith("rmt_lm")]
    assert len(ours) == 3
    for name in ours:
        memory = 0 if "M=0" in name else sizes["memory_tokens"]
        others = {"transformer_lm": 0.95 * sizes["segment"] / (sizes["segment"] + 2 * memory)}
        if memory:
            others["published"] = 2
        assert others.keys() == training[name].keys() - {"tokens_per_second", "mebibytes"}
        for other, target in others.items():
            row = training[name][other]
            speeds = [training[model]["tokens_per_second"] for model in (name, other)]
            assert row["ratio"] == pytest.approx(speeds[0] / speeds[1])
            assert row["target"] == pytest.approx(target)
            assert f"{row['ratio']:.3f}" in output

    assert result["writing"].keys() == {"transformer_lm", *ours[:2]}
    lengths = [str(length) for length in sizes["text_lengths"]]
    for name, row in result["writing"].items():
        assert row.keys() == {*lengths, "longest_to_shorter"}
        speeds = {length: row[length]["tokens_per_second"] for length in lengths}
        for length in lengths:
            assert row[length]["milliseconds_per_token"] == pytest.approx(1000 / speeds[length])
            baseline = result["writing"]["transformer_lm"][length]["tokens_per_second"]
            if name in ours:
                ratio = row[length]["transformer_lm"]["ratio"]
                assert ratio == pytest.approx(speeds[length] / baseline)
        growth = row["longest_to_shorter"]["ratio"]
        assert growth == pytest.approx(speeds[lengths[-1]] / speeds[lengths[-2]])
        assert f"{growth:.3f}" in output


def test_language_model_benchmark_runs_without_the_published_code(tmp_path):
    speed = tmp_path / "speed.json"
    benchmark(succeed, "language_model", "--tiny", "--rounds", 1, "--json", speed)
    assert "published" not in speed.read_text()


def test_commands_of_fairseq_by_their_own_logs(tmp_path):
    speed = tmp_path / "speed.json"
    output = benchmark(
        succeed, "fairseq_commands", "--tiny", "--rounds", 1, "--precisions", "float32",
        "--json", speed, "--published", published(tmp_path),
    )  # fmt: skip
    tables = json.loads(speed.read_text())["commands"]
    assert [len(rows) for rows in tables.values()] == [4, 2, 3]
    models = tables["language model, training, float32, words/s"]
    assert models["published"]["speed"] == pytest.approx(1000 * 8 * 128 / 512)
    for name in models.keys() - {"published"}:
        ratio = models[name]["speed"] / models["published"]["speed"]
        assert models[name]["published"]["ratio"] == pytest.approx(ratio)
    for rows in tables.values():
        baseline, *others = rows
        for name in others:
            ratio = rows[name][baseline]["ratio"]
            assert ratio == pytest.approx(rows[name]["speed"] / rows[baseline]["speed"])
            assert f"{ratio:.3f}" in output
            assert rows[name]["mebibytes"] > 100


@pytest.mark.parametrize(
    ("name", "file"), [("language_model", "mem_transformer.py"), ("fairseq_commands", "train.py")]
)
def test_wrong_published_path_is_told_in_one_line(name, file, tmp_path):
    line = benchmark(fail, name, "--tiny", "--published", tmp_path, "--rounds", 1)
    assert line == (
        f"fairseq-memtx: error: there is no {tmp_path}/pytorch/{file}: give "
        "--published a checkout of https://github.com/booydar/LM-RMT"
    )


def test_long_document_benchmark_reports_time_and_memory(tmp_path):
    output = benchmark(
        succeed, "long_documents", "--tiny", "--rounds", 1,
        "--json", tmp_path / "speed.json", "--picture", tmp_path / "speed.png",
    )  # fmt: skip
    result = json.loads((tmp_path / "speed.json").read_text())
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")
    lengths = [str(length) for length in result["sizes"]["lengths"]]
    models = ["gmat_roberta", "roberta", "longformer", "bigbird", "modernbert"]
    assert list(result["steps"]) == ["0.1"]
    for dropout, rows in result["steps"].items():
        told = output.split(f"training step, dropout {dropout}\n")[1].splitlines()
        assert list(rows) == lengths
        for length, row in rows.items():
            assert list(row) == models
            ours = row["gmat_roberta"]
            for name in models:
                assert row[name]["milliseconds"] > 0
                assert row[name]["mebibytes"] > 0
                line = next(line for line in told if f"{length} tokens  {name} " in line)
                assert f"{row[name]['milliseconds']:.0f} ms" in line
            for name in models[1:]:
                ratio = row[name]["milliseconds"] / ours["milliseconds"]
                assert row[name]["speed_of_ours"]["ratio"] == pytest.approx(ratio)
        [step] = result["growth"][dropout]
        steps = [rows[length]["gmat_roberta"]["milliseconds"] for length in lengths]
        assert step["milliseconds"] == pytest.approx(steps[1] / steps[0])
    assert result["longest"]["tokens"] == result["sizes"]["longest"]


def test_a_dense_model_that_cannot_fit_is_left_out():
    sizes = long_documents.Sizes()
    assert long_documents.fits(sizes, 1 << 20, dropout=0.0, device="cpu")
    assert not long_documents.fits(sizes, 1 << 20, dropout=0.1, device="cpu")


def test_costs_as_work_grows(tmp_path):
    output = benchmark(
        succeed, "costs", "--tiny", "--rounds", 1, "--only", "segments", "workers",
        "--json", tmp_path / "costs.json", "--picture", tmp_path / "costs.png",
    )  # fmt: skip
    sweeps = json.loads((tmp_path / "costs.json").read_text())["sweeps"]
    assert (tmp_path / "costs.png").read_bytes().startswith(b"\x89PNG")
    grown = {name: [point["value"] for point in of["points"]] for name, of in sweeps.items()}
    assert grown == {"segments": [1, 2, 4], "workers": [1, 2]}
    for sweep in sweeps.values():
        assert f"{sweep['letter']}, {sweep['grows']}: {sweep['formula']}" in output
        for point in sweep["points"]:
            assert point["milliseconds"] > 0
            assert f"{point['milliseconds']:.1f} ms" in output


def test_each_sweep_lets_grow_what_it_says():
    sweeps = cost_sweeps.sweeps(tiny=True)
    lm = ("segments", "armt-segments", "memory-tokens", "segment-length", "streams", "translation")
    seen = {name: [] for name in lm}
    for name, values in seen.items():
        for value in sweeps[name].values:
            learner, batch = cost_sweeps._built(sweeps[name].work(value))
            tokens = batch["net_input"]["src_tokens"]
            kept = [of for of in learner.model.modules() if isinstance(of, MemoryTokens)]
            values.append((tokens.size(0), tokens.size(1), sum(len(of.weight) for of in kept)))
    assert seen["segments"] == seen["armt-segments"] == [(2, 8 * s, 2) for s in (1, 2, 4)]
    assert seen["memory-tokens"] == [(2, 8, memory) for memory in (0, 10, 20)]
    assert seen["segment-length"] == [(2, tokens, 2) for tokens in (16, 32, 64)]
    assert seen["streams"] == [(streams, 8, 2) for streams in (1, 2, 4)]
    assert [memory for _, _, memory in seen["translation"]] == [0, 5, 10]
    documents = [sweeps[f"document-{of}"] for of in ("memory", "length")]
    works = [[sweep.work(value) for value in sweep.values] for sweep in documents]
    assert [(work.length, work.sizes.memory_tokens) for work in works[0]] == [
        (64, 16), (64, 32), (64, 64)
    ]  # fmt: skip
    assert [(work.length, work.sizes.memory_tokens) for work in works[1]] == [
        (32, 2), (64, 2), (128, 2)
    ]  # fmt: skip


def test_a_curve_finds_what_points_are_made_of_and_says_how_far_off_it_is():
    terms = [[x, x**2] for x in (1, 2, 4, 8)]
    exact = costs.fit(terms, [3 + 2 * x + 0.5 * x**2 for x, _ in terms])
    assert exact["coefficients"] == pytest.approx([3, 2, 0.5])
    assert exact["largest_error"] < 1e-9
    # A constant c for 1, 1 and 2 by relative errors: twice (c - 1)^2 and once (c/2 - 1)^2.
    flat = costs.fit([[], [], []], [1.0, 1.0, 2.0])
    assert flat["coefficients"] == pytest.approx([2.5 / 2.25])
    assert flat["largest_error"] == pytest.approx(1 - 2.5 / 2.25 / 2)
