"""Every flag of an architecture, its task and criterion, which ``fairseq-train --help`` omits."""

import argparse
import re
from typing import Any

from fairseq import options
from fairseq.criterions import CRITERION_REGISTRY
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.models import ARCH_MODEL_REGISTRY
from fairseq.tasks import TASK_REGISTRY

from ..errors import MemtxError
from ..refusals import advice_for


def listing(arch: str, task: str | None = None, criterion: str | None = None) -> str:
    """The flags of `groups` as a help text."""
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS, add_help=False)
    for title, actions in groups(arch, task, criterion).items():
        group = parser.add_argument_group(title, None if actions else "no flags of its own")
        for action in actions:
            action.help = (action.help or "").replace("%", "%%")
            group._group_actions.append(action)
    return parser.format_help()


def groups(
    arch: str, task: str | None = None, criterion: str | None = None
) -> dict[str, list[argparse.Action]]:
    """Flags by whose they are, ``--arch NAME``; their help ends with their default.

    A task that is not said is the first that goes with the architecture, and so is a criterion.
    """
    model = _known("ARCH", arch, ARCH_MODEL_REGISTRY)
    fits = getattr(model, "fits", {"translation": ["cross_entropy"]})
    task = task or next(iter(fits))
    criterion = criterion or next(iter(fits.get(task, ["cross_entropy"])))
    owners = {
        f"--arch {arch}": ("model", model),
        f"--task {task}": ("task", _known("--task", task, TASK_REGISTRY)),
        f"--criterion {criterion}": (
            "criterion",
            _known("--criterion", criterion, CRITERION_REGISTRY),
        ),
    }
    line = ["data", *" ".join(owners).split()]
    given, _ = options.parse_args_and_arch(options.get_training_parser(), line, parse_known=True)
    cfg = convert_namespace_to_omegaconf(given)
    found: dict[str, list[argparse.Action]] = {}
    for title, (part, owner) in owners.items():
        own = argparse.ArgumentParser(add_help=False)  # the parts may have flags of one name
        owner.add_args(own)
        found[title] = [
            action
            for action in own._actions
            if action.option_strings and action.help is not argparse.SUPPRESS
        ]
        for action in found[title]:
            value = getattr(cfg[part], action.dest, action.default)
            action.help = _with_default(action.help or "", value)
    return found


def _with_default(told: str, value: Any) -> str:
    """A help text and a value, for which it may have words of its own where there is none."""
    words = re.search(r"\s*\(default: [^)]*\)$", told)
    if words and value:
        told = told[: words.start()]
    return told if words and not value else f"{told} (default: {value})".lstrip()


def _known(flag: str, name: str, registry: dict[str, Any]) -> Any:
    if name not in registry:
        raise MemtxError(f"{flag} {name} is unknown: {advice_for(name, list(registry))}")
    return registry[name]
