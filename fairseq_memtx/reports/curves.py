"""How a training went: from its log, else from TensorBoard's files, else from its checkpoints."""

import math
from collections.abc import Iterable
from pathlib import Path

from fairseq.logging.meters import MetersDict
from matplotlib.figure import Figure
from tqdm import tqdm

from ..checkpoints import safe_loading
from ..errors import MemtxError
from ..pictures.figure import labels
from ..pictures.html_page import Picture
from ..pictures.training import draw_panel
from ..pictures.training_log import Curve, Log, read
from .trained_run import TrainedRun

# Of speed and of bookkeeping.
NOT_DRAWN = {"wps", "ups", "wpb", "bsz", "clip", "train_wall", "wall", "gb_free", "loss_scale"}
WIDTH, HEIGHT = 4.4, 2.8  # inches


def curves_of(run: TrainedRun, logs: list[Path]) -> tuple[Log, str]:
    """Curves by split and metric, and words that say where they are from.

    ``logs`` that are named have to be there; what was named in training may be gone.
    """
    found = logs or [path for path in _usual_logs(run) if path.is_file()]
    read_logs = {path: log for path in found if (log := _read(path, path in logs))}
    if read_logs:
        return _merged(read_logs.values()), f"From {', '.join(map(str, read_logs))}."
    missing = "No log was found: save what fairseq-train prints, or use --log-file or --log FILE."
    told = run.setting("common", "tensorboard_logdir")
    if told and Path(told).is_dir():
        events = from_tensorboard(Path(told))
        if events:
            return events, f"{missing} These are from TensorBoard's files in {told}."
    return from_checkpoints(run), (
        f"{missing} These are what checkpoints hold: one value each, of the training before it."
    )


def _usual_logs(run: TrainedRun) -> list[Path]:
    """Where logs of a run are found, if it has any."""
    folder = run.folder.absolute()
    told = run.setting("common", "log_file")
    return [
        *([Path(told)] if told else []),
        *sorted(folder.glob("*.log")),
        folder.with_name(f"{folder.name}.log"),
        folder.with_name("hydra_train.log"),
    ]


def _read(path: Path, must: bool) -> Log:
    try:
        return read(path)
    except MemtxError:  # a log of something else
        if must:
            raise
        return {}


def from_tensorboard(folder: Path) -> Log:
    """What ``--tensorboard-logdir`` got, a folder a split."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log: Log = {}
    for inside in sorted(path for path in folder.iterdir() if path.is_dir()):
        events = EventAccumulator(str(inside)).Reload()
        curves = {
            tag: {event.step: event.value for event in events.Scalars(tag)}
            for tag in events.Tags()["scalars"]
        }
        if curves:
            log[inside.name] = curves
    return log


def from_checkpoints(run: TrainedRun) -> Log:
    """The running averages that every checkpoint of the folder holds."""
    log: Log = {}
    paths = sorted(run.folder.glob("checkpoint*.pt"))
    for path in tqdm(paths, desc="checkpoints", unit="file", leave=False):
        try:
            state = safe_loading.load_checkpoint(str(path))
            update = int(state["optimizer_history"][-1]["num_updates"])
        except (MemtxError, KeyError, IndexError):  # torn, or made of several
            continue
        for split, saved in (state["extra_state"].get("metrics") or {}).items():
            if split != "default":
                meters = MetersDict()
                meters.load_state_dict(saved)
                for name, value in meters.get_smoothed_values().items():
                    if value is not None:  # nothing was counted since it began anew
                        log.setdefault(split, {}).setdefault(name, {})[update] = float(value)
    return log


def pictures(log: Log) -> list[Picture]:
    """A picture a metric, a line a split."""
    metrics = sorted({metric for curves in log.values() for metric in curves} - NOT_DRAWN)
    return [
        _picture(metric, curves)
        for metric in sorted(metrics, key=lambda metric: (metric != "loss", metric))
        if not metric.startswith(("best_", "cuda_"))
        if (curves := {split: _finite(log[split].get(metric, {})) for split in log})
        if any(curves.values())
    ]


def _picture(metric: str, curves: dict[str, Curve]) -> Picture:
    curves = {split: curve for split, curve in curves.items() if curve}
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes = figure.subplots()
    shown = draw_panel(axes, {split: [curve] for split, curve in curves.items()})
    (name,) = labels([metric])
    axes.set_ylabel(name)
    if metric == "ppl":  # which begins with thousands
        axes.set_yscale("log")
    axes.legend(shown.values(), labels(shown), frameon=False)
    told = "; ".join(
        f"{split} from {curve[min(curve)]:g} to {curve[max(curve)]:g}"
        for split, curve in curves.items()
    )
    last = max(max(curve) for curve in curves.values())
    return Picture.of_figure(
        figure, f"{metric} over {last:,} updates: {told}.", f"{metric}: {told}"
    )


def _finite(curve: Curve) -> Curve:
    return {update: value for update, value in curve.items() if math.isfinite(value)}


def _merged(logs: Iterable[Log]) -> Log:
    merged: Log = {}
    for log in logs:
        for split, curves in log.items():
            for metric, curve in curves.items():
                merged.setdefault(split, {}).setdefault(metric, {}).update(curve)
    return merged
