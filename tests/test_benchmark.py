"""``scripts/benchmark.py`` runs and reports; what it measures is in the README."""

from __future__ import annotations

import json

from conftest import ROOT, succeed


def test_translation_benchmark_reports_both_speeds(tmp_path):
    output = succeed(
        "python", ROOT / "scripts/benchmark.py", "translation", "--rounds", 1,
        "--json", tmp_path / "speed.json",
    )  # fmt: skip
    result = json.loads((tmp_path / "speed.json").read_text())
    for measure in ("training", "generation"):
        row = result[measure]
        ratio = row["mem_transformer"] / row["transformer"]
        assert abs(row["ratio"] - ratio) < 1e-9, "one round: the ratio of the medians"
        assert f"{row['ratio']:.3f}" in output
    assert {"cores", "threads", "torch", "fairseq"} <= result["machine"].keys()
