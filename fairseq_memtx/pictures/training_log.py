"""Read the numbers in the logs that ``fairseq-train`` prints.

``--log-format simple`` and ``json`` are read, and what ``--log-file`` got, also while a run goes
on. Where a run was killed, resumed and wrote on into its log, the later line of an update counts.
"""

import json
import math
import re
from contextlib import suppress
from pathlib import Path

from ..errors import MemtxError

WHERE = ("num_updates", "epoch", "update")  # numbers of a line that are no metrics

# A line that was cut off has no end, or the next line goes on in it: then its last start counts.
# The lines of --log-file have no time and no split in front.
LINE = re.compile(r"(?:.*\| INFO \| (?P<split>\S+) \| )?(?P<text>.*)\n")
BARE = {  # by what such a line begins with, its split
    r"epoch \d+ \| valid on '([^']+)' subset": None,
    r"epoch \d+: ": "train_inner",
    r"epoch \d+ \|": "train",
    r'\{.*"(\w+)_num_updates"': None,
    r'\{"epoch"': "train_inner",
}
STATISTIC = re.compile(r"([^\s|,=]+)[ =]([^\s|,=]+)(?=, | \||$)")  # loss=1.5, or loss 1.5 |

Curve = dict[int, float]  # the value after so many updates
Log = dict[str, dict[str, Curve]]  # by split and metric


def named_logs(pairs: list[str]) -> dict[str, list[Path]]:
    """The logs of each name; what is no ``NAME=LOG`` is refused."""
    logs: dict[str, list[Path]] = {}
    for pair in pairs:
        # Names such as "M=8" and paths such as "lr=0.1/train.log" have the sign too.
        places = [place for place, letter in enumerate(pair) if letter == "="]
        place = next((p for p in places if Path(pair[p + 1 :]).is_file()), pair.find("="))
        name, path = pair[: max(place, 0)], pair[place + 1 :]
        if not name or not path:
            raise MemtxError(f"{pair} is no NAME=LOG: use one such as rmt=runs/1/train.log")
        logs.setdefault(name, []).append(Path(path))
    return logs


def read(path: Path) -> Log:
    """All numbers of a log; one that is of no training is refused."""
    log: Log = {}
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for match in filter(None, map(LINE.match, lines)):
                split = match["split"] or _split_of(match["text"])
                found = statistics(split, match["text"])
                if split and "num_updates" in found:
                    curves = log.setdefault(split, {})
                    for metric in found.keys() - WHERE:
                        update = int(found["num_updates"])
                        curves.setdefault(metric, {})[update] = found[metric]
    except OSError as cause:
        raise MemtxError(f"the log {path} cannot be read: {cause.strerror}") from cause
    if not log:
        raise MemtxError(
            f"{path} has nothing to draw: give what fairseq-train printed with --log-format simple "
            "or json, after its first --log-interval updates"
        )
    return log


def _split_of(line: str) -> str:
    """Of a line of ``--log-file``; nothing for one of another kind."""
    for begins, split in BARE.items():
        if found := re.match(begins, line):
            return split or found[1]
    return ""


def statistics(split: str, text: str) -> dict[str, float]:
    """The numbers of one line, by their names; none in a line of another kind."""
    if text.startswith("{"):
        try:
            pairs = json.loads(text).items()
        except ValueError:  # the configuration, or a line that was cut off
            return {}
        prefix = f"{split}_"  # a valid_loss of the split valid
        pairs = [(n[len(prefix) :] if n.startswith(prefix) else n, value) for n, value in pairs]
    else:
        pairs = STATISTIC.findall(text)
    numbers = {}
    for name, value in pairs:
        with suppress(TypeError, ValueError):
            numbers[name] = float(value)
    return numbers


def curve(path: Path, log: Log, split: str, metric: str) -> Curve:
    """One line of the picture; a log without finite numbers of it is refused, with what it has."""
    if split not in log:
        raise MemtxError(f"{path} has no lines of --split {split}: it has {', '.join(log)}")
    if metric not in log[split]:
        raise MemtxError(
            f"{path} has no --metric {metric} in the lines of {split}: it has "
            f"{', '.join(sorted(log[split]))}"
        )
    found = log[split][metric]
    if not any(map(math.isfinite, found.values())):
        raise MemtxError(f"{path} has nothing to draw: its {metric} is never a finite number")
    return found
