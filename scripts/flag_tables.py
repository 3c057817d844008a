"""The tables of flags in the pages, from what the parsers know.

Launch: python scripts/flag_tables.py

A page has a line ``<!-- flags of NAME: ... -->`` and, behind the tables, ``<!-- end of flags -->``;
NAME is an architecture or "the commands". The tests tell when a page is older than the flags.
"""

import argparse
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fairseq.models.roberta import RobertaModel
from fairseq.models.transformer import TransformerModel
from fairseq.models.transformer_lm import TransformerLanguageModel

from fairseq_memtx.commands import main
from fairseq_memtx.flags.listing import groups

PAGES = Path(__file__).parents[1] / "docs"
FLAGS = re.compile(r"(<!-- flags of ([\w ]+): .* -->\n).*?(<!-- end of flags -->)", re.DOTALL)
# The model of fairseq that each architecture adds to, and what of ours goes with it.
ADDS_TO: dict[str, Any] = {
    "mem_transformer": TransformerModel,
    "rmt_lm": TransformerLanguageModel,
    "gmat_roberta": RobertaModel,
}
TASKS = {
    "mem_transformer": {"translation": "fused_label_smoothed_cross_entropy"},
    "rmt_lm": {
        "rmt_language_modeling": "segment_cross_entropy",
        "algorithmic_sequences": "cross_entropy",
        "facts_in_noise": "cross_entropy",
    },
    "gmat_roberta": {
        "majority-tagging": "sequence_tagging",
        "signed-sum": "sequence_tagging",
        "sequence_tagging": "sequence_tagging",
        "extractive_qa": "extractive_qa",
        "reading": "extractive_qa",
    },
}


def page_with_tables(text: str) -> str:
    """A page whose tables are those of today."""
    return FLAGS.sub(lambda found: f"{found[1]}\n{tables_of(found[2])}\n{found[3]}", text)


def tables_of(name: str) -> str:
    """Tables of an architecture, or of the commands."""
    if name == "the commands":
        return "\n".join(tables_of_commands(main.parser()))
    if name not in TASKS:
        return table(changed_defaults(name))
    tables = []
    for task, criterion in TASKS[name].items():
        for title, actions in groups(name, task, criterion).items():
            if title.startswith("--arch"):
                inherited = names_of(ADDS_TO[name])
                own = [action for action in actions if action.dest not in inherited]
                rest = [action for action in actions if action.dest in inherited]
                tables.append(f"`{title}`, what it adds:\n\n{table(own)}")
                tables.append(f"`{title}`, as in fairseq:\n\n{table(rest)}")
            elif title != "--task translation" and actions:
                tables.append(f"`{title}`:\n\n{table(actions)}")
    return "\n".join(dict.fromkeys(tables))


def tables_of_commands(parser: argparse.ArgumentParser) -> Iterator[str]:
    """A heading and a table for each command that has none of its own."""
    commands = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not commands:
        yield f"### `{parser.prog}`\n\n{parser.description}\n\n{table(parser._actions)}"
    for action in commands:
        for choice in action.choices.values():
            yield from tables_of_commands(choice)


def changed_defaults(arch: str) -> list[argparse.Action]:
    """Flags of an architecture of `rmt_lm` whose defaults are others there."""
    (ours, *_), (plain, *_) = groups(arch).values(), groups("rmt_lm").values()
    helps = {action.dest: action.help for action in plain}
    return [action for action in ours if action.help != helps[action.dest]]


def names_of(model: Any) -> set[str]:
    """Flags that a model of fairseq has."""
    parser = argparse.ArgumentParser(add_help=False)
    model.add_args(parser)
    return {action.dest for action in parser._actions}


def table(actions: Iterable[argparse.Action]) -> str:
    """A table of flags with their defaults."""
    lines = ["| flag | what it says | default |", "| --- | --- | --- |"]
    for action in actions:
        if isinstance(action, argparse._HelpAction):
            continue
        told = " ".join((action.help or "").replace("%(default)s", str(action.default)).split())
        found = re.search(r"^(.*?) ?\(default: (.*)\)$", told)
        told, default = found.groups() if found else (told, "")
        cells = [f"`{spelled(action)}`", plain(told), f"`{default}`" if default else ""]
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def spelled(action: argparse.Action) -> str:
    """A flag as it is typed."""
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if action.choices:
        value = "{" + ",".join(map(str, action.choices)) + "}"
    words = [", ".join(action.option_strings)] if action.option_strings else []
    return " ".join([*words, *([value] if action.nargs != 0 else [])])


def plain(told: str) -> str:
    """A help text in which nothing looks like HTML or emphasis."""
    return told.replace("<", "&lt;").replace("*", "&#42;").replace("_", "&#95;")


if __name__ == "__main__":
    logging.disable(logging.DEBUG)
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        page.write_text(page_with_tables(text), encoding="utf-8")
