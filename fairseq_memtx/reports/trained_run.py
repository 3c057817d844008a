"""What a folder of checkpoints says of its run."""

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checkpoints import safe_loading
from ..checkpoints.first_checkpoint import newest_whole
from ..errors import MemtxError


@dataclass(frozen=True)
class TrainedRun:
    """A folder, and its checkpoint after the most updates."""

    folder: Path
    checkpoint: Path
    state: dict[str, Any]  # what the checkpoint holds

    @classmethod
    def read(cls, folder: Path) -> "TrainedRun":
        """Read a ``--save-dir``; one without a whole checkpoint is refused."""
        last = folder / "checkpoint_last.pt"
        newest = str(last) if last.exists() else newest_whole(str(folder))
        if newest is None:
            raise MemtxError(f"{folder} has no whole checkpoint: train on, or give another folder")
        return cls(folder, Path(newest), safe_loading.load_checkpoint(newest))

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """Flags by their groups, and then by their names."""
        if self.state.get("cfg") is None:  # before fairseq 0.10
            return {"": _named(self.state.get("args"))}
        return {group: _named(content) for group, content in self.state["cfg"].items()}

    def setting(self, group: str, name: str) -> Any:
        """The value of one flag; None if there is no such."""
        groups = self.settings
        return groups.get(group, groups.get("", {})).get(name)

    def about(self) -> list[tuple[str, str]]:
        """What the run is and how far it got."""
        extra = self.state.get("extra_state") or {}
        weights = self.state["model"]
        updates = (self.state.get("optimizer_history") or [{}])[-1].get("num_updates")
        epoch = (extra.get("train_iterator") or {}).get("epoch")
        seconds, best = extra.get("previous_training_time"), extra.get("best")
        metric = self.setting("checkpoint", "best_checkpoint_metric")
        found = {
            "Architecture": self.setting("model", "arch") or self.setting("model", "_name"),
            "Task": self.setting("task", "_name") or self.setting("", "task"),
            "Updates": None if updates is None else f"{updates:,}",
            "Epoch": epoch,
            "Time in training": None if seconds is None else f"{seconds:,.0f} s",
            "Weights": f"{sum(weight.numel() for weight in weights.values()):,}",
            f"Best {metric}": None if best is None else f"{best:g}",
            "Checkpoint": self.checkpoint.name,
        }
        return [(name, str(value)) for name, value in found.items() if value is not None]


def _named(content: Any) -> dict[str, Any]:
    if isinstance(content, Namespace):
        return vars(content)
    return content if isinstance(content, dict) else {}


def folders_of_runs(folder: Path) -> list[Path]:
    """The folder, if it has checkpoints, or else the folders inside that have; none is refused."""
    if not folder.is_dir():
        raise MemtxError(f"there is no folder {folder}: give the --save-dir of a training")
    if any(folder.glob("checkpoint*.pt")):
        return [folder]
    inside = sorted({path.parent for path in folder.rglob("checkpoint*.pt")})
    if not inside:
        raise MemtxError(
            f"{folder} has no checkpoint: give the --save-dir of a training, or a folder of several"
        )
    return inside
