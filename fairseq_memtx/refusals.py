"""What a command line is refused for, in one line that helps.

argparse answers a misspelled name with all names that there are, under a page of flags.
"""

import argparse
import difflib
import re

FEW = 12  # so many names can be listed


def explain(parser: argparse.ArgumentParser, message: str, owner: str = "this command") -> str:
    """One line for what argparse has to say of a command line.

    Args:
        parser: that refuses it.
        message: argparse's own, such as ``argument --arch/-a: invalid choice: 'x' (choose ...)``.
        owner: of the flags.
    """
    choice = re.match(r"argument (\S+): invalid choice: '?(.*?)'? \(choose from", message)
    if choice:
        flag, name = choice[1].split("/")[0], choice[2]
        choices = next(
            action.choices or ()
            for action in parser._actions
            if flag in (*action.option_strings, action.metavar)
        )
        return f"{flag} {name} is unknown: {advice_for(name, list(map(str, choices)))}"
    unknown = re.match(r"unrecognized arguments: (.*)", message, re.DOTALL)
    if unknown:
        words = unknown[1].split()
        flag = next((word.split("=")[0] for word in words if word.startswith("--")), None)
        if flag is not None:
            close = difflib.get_close_matches(flag, parser._option_string_actions, n=3)
            advice = f"did you mean {' or '.join(close)}?" if close else "leave it out"
            return f"{flag} is no flag of {owner}: {advice}"
        return f"'{words[0]}' is one argument too many: put text with spaces in quotes"
    return message.replace("\n", " ")


def advice_for(name: str, choices: list[str]) -> str:
    """What to write in the place of a name that is none of these."""
    close = difflib.get_close_matches(name, choices, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if len(choices) <= FEW:
        return f"use one of {', '.join(choices)}"
    return "see --help for the names that there are"
