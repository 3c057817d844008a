"""What happens to files on their way: strategies of broken copies of whole ones."""

import json
import re
from typing import Any, Callable

from hypothesis import strategies as st

Files = dict[str, bytes]
Edit = Callable[[bytes], bytes]

NUMBERS = [
    b"0", b"-1", b"1", b"2147483648", b"9223372036854775808", b"-9223372036854775809",
    b"1" + b"0" * 400, b"9" * 5000, b"1e400", b"-1e400", b"nan", b"inf", b"1.5", b"0x10", b"1_0",
    b"", b"none", "٣".encode(),
]  # fmt: skip
PARTS = [
    b"\0", b"\xff", b"\xef\xbb\xbf", b"\r\n", b"\r", b"\n", b"\n\n", b"\t", b" ", b"  ", b'"',
    b"\\ud800", "\u2028".encode(), "\u00a0".encode(), "\u0661".encode(), "\U0001f600".encode(),
    b"\xed\xa0\x80", b"<s>", b"</s>", b"<pad>", b"#version: 9", b"#fairseq:overwrite", b"@@",
    b"[", b"{", b"]", b"}", b",", b":", b"null", b"true", b"-1", b"NaN", b"Infinity",
    b"a" * 70_000, b"[" * 100_000, b'{"a":' * 50_000, b"\0" * 1000,
]  # fmt: skip
WHOLES = [
    b"", b"\n", b"\0" * 64, b"\xff\xfe\0\0", b"\xef\xbb\xbf", b"[]", b"{}", b"null", b"0", b'"a"',
    b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    b"PK\x03\x04", b"\x80\x02}q\0.", b"\x1f\x8b\x08\0",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, -(10**400), float("nan"), float("inf"), "", " ", "yes",
    "\ud800", "\0", [], {}, [[]], [None], {"": None}, "x" * 5000,
]  # fmt: skip


@st.composite
def _edits(draw: st.DrawFn) -> Edit:
    """One change of a file's bytes."""
    place, length = draw(st.floats(0, 1)), draw(st.integers(1, 64))
    kind = draw(st.sampled_from(list(_EDITS)))
    choice = draw(st.integers(0, 1 << 16))
    return lambda content: _EDITS[kind](content, int(place * len(content)), length, choice)


def _flip(content: bytes, place: int, length: int, choice: int) -> bytes:
    if not content:
        return content
    place = min(place, len(content) - 1)
    return content[:place] + bytes([content[place] ^ 1 << choice % 8]) + content[place + 1 :]


def _number(content: bytes, place: int, length: int, choice: int) -> bytes:
    found = re.compile(rb"-?\d+(\.\d+)?").search(content, place)
    if not found:
        return content
    return content[: found.start()] + NUMBERS[choice % len(NUMBERS)] + content[found.end() :]


def _machine_number(content: bytes, place: int, length: int, choice: int) -> bytes:
    width = (2, 4, 8)[choice % 3]
    number = (0, -1, 1, 1 << 8 * width - 1, (1 << 8 * width - 1) - 1, 7)[choice % 6]
    place -= place % 2
    new = (number % (1 << 8 * width)).to_bytes(width, "little")
    return content[:place] + new + content[place + width :]


_EDITS: dict[str, Callable[[bytes, int, int, int], bytes]] = {
    "flip": _flip,
    "flip again": _flip,
    "cut": lambda content, place, length, choice: content[:place],
    "leave out": lambda content, place, length, choice: content[:place] + content[place + length :],
    "double": lambda content, place, length, choice: (
        content[: place + length] + content[place : place + length] + content[place + length :]
    ),
    "insert": lambda content, place, length, choice: (
        content[:place] + PARTS[choice % len(PARTS)] + content[place:]
    ),
    "number": _number,
    "machine number": _machine_number,
    "whole": lambda content, place, length, choice: WHOLES[choice % len(WHOLES)],
    "line": lambda content, place, length, choice: _line(content, place, choice),
    "value": lambda content, place, length, choice: _value(content, place, choice),
}


def _line(content: bytes, place: int, choice: int) -> bytes:
    """Leave out, double, empty or move a line."""
    lines = content.split(b"\n")
    number = content.count(b"\n", 0, place)
    line = lines[number]
    new = [[], [line, line], [b""], [line + b"\r"], [line.replace(b" ", b"")]][choice % 5]
    return b"\n".join(lines[:number] + new + lines[number + 1 :])


def _value(content: bytes, place: int, choice: int) -> bytes:
    """Put another value, or one of another kind, somewhere into a JSON file."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return content
    if not isinstance(value, (dict, list)) or not value:
        return content
    owner, name = nth_place(value, place)
    new = VALUES[choice % len(VALUES)]
    if choice % 7 == 0:
        del owner[name]
    elif choice % 7 == 1 and isinstance(owner, list):
        owner.append(owner[name])
    else:
        owner[name] = new
    return json.dumps(value).encode()


def nth_place(value: Any, number: int) -> tuple[Any, Any]:
    """A dictionary or list somewhere in a value, and a name or number in it."""
    places = list(_places(value))
    return places[number % len(places)]


def _places(value: Any, depth: int = 100):
    """Not those far inside of what an earlier mutation has nested."""
    if not depth or not isinstance(value, (dict, list)):
        return
    for name in value if isinstance(value, dict) else range(len(value)):
        yield value, name
        yield from _places(value[name], depth - 1)


@st.composite
def broken(draw: st.DrawFn, files: Files) -> Files:
    """Copies of files of which one or two were changed, exchanged, or left out."""
    files = dict(files)
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(sorted(files)))
        if draw(st.integers(0, 15)) == 0:
            files[name] = files[draw(st.sampled_from(sorted(files)))]
        elif draw(st.integers(0, 31)) == 0:
            files.pop(name)
            if not files:
                break
        else:
            for edit in draw(st.lists(_edits(), min_size=1, max_size=3)):
                files[name] = edit(files[name])
    return files
