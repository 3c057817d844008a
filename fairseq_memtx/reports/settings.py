"""All settings of a run, those first that differ from what would have been without a flag."""

from collections.abc import Iterator
from contextlib import redirect_stderr
from io import StringIO
from typing import Any

from fairseq import options
from fairseq.models import ARCH_MODEL_NAME_REGISTRY, MODEL_DATACLASS_REGISTRY

from ..pictures.html_page import Table, Text
from .trained_run import TrainedRun

# What chooses a part, with the part's group; the rest of a command line has defaults after these.
CHOICES = {
    "model": "arch",
    "task": "task",
    "criterion": "criterion",
    "optimizer": "optimizer",
    "lr_scheduler": "lr-scheduler",
    "bpe": "bpe",
    "tokenizer": "tokenizer",
}
COLUMNS = ("flag", "value", "default")
Settings = dict[str, dict[str, Any]]


def tables(run: TrainedRun) -> list[Table | Text]:
    """What was chosen and what differs; then, folded, all the rest."""
    settings = run.settings
    chosen = {group: name for group in CHOICES if (name := _choice(settings, group))}
    defaults = defaults_of(chosen)
    changed = [(f"--{CHOICES[group]}", name, "") for group, name in chosen.items()]
    kept = []
    for group, name, value in _flags(settings):
        usual = (defaults or {}).get(name, value)
        flag, shown = f"--{name.replace('_', '-')}", _shown(value)
        if value == usual or shown == _shown(usual):
            kept.append((flag, shown, group))
        else:
            changed.append((flag, shown, _shown(usual)))
    parts: list[Table | Text] = [Table("What differs from the defaults", COLUMNS, changed)]
    if defaults is None:
        parts.insert(0, Text("Its parts are not all known here, so no default is told."))
    rest = "All other settings" if defaults is None else "All other settings, at their defaults"
    return [*parts, Table(rest, ("flag", "value", "part"), kept, folded=True)]


def defaults_of(chosen: dict[str, str]) -> dict[str, Any] | None:
    """What flags are on a command line of nothing but these choices; None where it is refused."""
    line = ["data", *(f"--{CHOICES[group]}={name}" for group, name in chosen.items())]
    try:
        with redirect_stderr(StringIO()):  # of a parser that ends the program
            given = options.parse_args_and_arch(options.get_training_parser(), line)
    except (Exception, SystemExit):  # parts of another fairseq or another plugin
        return None
    # A model with a dataclass leaves out what no preset says.
    fields = MODEL_DATACLASS_REGISTRY.get(ARCH_MODEL_NAME_REGISTRY[given.arch])
    return {**(vars(fields()) if fields else {}), **vars(given)}


def _choice(settings: Settings, group: str) -> str | None:
    part = settings.get(group, {})
    return (part.get("arch") if group == "model" else None) or part.get("_name")


def _flags(settings: Settings) -> Iterator[tuple[str, str, Any]]:
    """Group, name and value of each; of those that several groups have, the first."""
    seen = {"_name", "arch", *CHOICES}
    # A model may hold a copy of the whole command line.
    for group in sorted(settings, key=lambda group: group == "model"):
        for name, value in sorted(settings[group].items()):
            if name not in seen:
                seen.add(name)
                yield group, name, value


def _shown(value: Any) -> str:
    """As on a command line; nothing for what is not set."""
    if value in (None, "", [], ()):
        return ""
    if isinstance(value, (list, tuple)):
        return ",".join(map(_shown, value))
    return str(getattr(value, "value", value))
