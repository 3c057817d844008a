"""Curves of all seeds as tables in Markdown: ``python table.py FOLDER/curves``."""

import json
import re
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np


def main(folder: Path) -> None:
    """Print a table an experiment: mean accuracy by tokens, and the range of the seeds."""
    runs = defaultdict(lambda: defaultdict(list))
    for file in sorted(folder.glob("*.jsonl")):
        name = re.sub(r"-seed\d+", "", file.stem)
        for line in file.read_text().splitlines():
            point = json.loads(line)
            runs[name][point["tokens"]].append(point)
    for name, points in runs.items():
        print(f"\n{name}\n\n| tokens | accuracy | lowest, highest | rows | tokens/s | peak MB |")
        print("| --- | --- | --- | --- | --- | --- |")
        for tokens, seeds in sorted(points.items()):
            right = [point["accuracy"] for point in seeds]
            rows = sum(point["examples"] for point in seeds)
            speed = np.mean([point["tokens_per_second"] for point in seeds])
            peak = max(point["peak_megabytes"] for point in seeds)
            spread = f"{min(right):.3f}, {max(right):.3f}"
            print(
                f"| {tokens:,} | {np.mean(right):.3f} | {spread} | {rows} | {speed:,.0f} "
                f"| {peak:,.0f} |"
            )
        print(fits(points))


def fits(points: dict[int, list[dict[str, float]]]) -> str:
    """Growth of memory, and the power of the length with which time grows, from 4,096 tokens on.

    Nothing for a short curve: what a process still takes then says nothing of a million tokens.
    """
    long = sorted(tokens for tokens in points if tokens >= 4096)
    if len(long) < 3 or long[-1] < 16 * long[0]:
        return ""
    memory, seconds = (
        [np.mean([point[field] for point in points[tokens]]) for tokens in long]
        for field in ("peak_megabytes", "seconds")
    )
    slope = np.polyfit(np.array(long) / 1e6, memory, 1)[0]
    power = np.polyfit(np.log(long), np.log(seconds), 1)[0]
    return f"\nFrom 4,096 tokens on: {slope:+.1f} MB a million tokens, time ~ tokens^{power:.3f}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
