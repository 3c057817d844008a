"""What takes the place of slow programs, and of a network, in tests of something else."""

import os
from pathlib import Path

import pytest

# fairseq-preprocess that counts, and keeps what it was given. Of a translation nobody reads counts.
COUNT = """
import shutil, sys
shutil.copytree(".", "../seen")
for flag, name in zip(sys.argv, sys.argv[1:]):
    if flag.endswith("pref") and "-s" not in sys.argv:
        lines = open(name, encoding="utf-8", newline="\\n").readlines()
        tokens = sum(len(line.split()) + 1 for line in lines)
        print(f"[None] {name}: {len(lines)} sents, {tokens} tokens, 0.0% replaced (by <unk>)")
"""
# curl that copies from a folder, and keeps what it was asked for.
CURL = """#!/bin/sh
for url; do :; done
while [ "$1" != --output ]; do shift; done
echo "$url" >> "$SERVED/log"
[ -f "$SERVED/${url##*/}" ] || exit 22
cat "$SERVED/${url##*/}" > "$2"
"""


def preprocess(folder: Path, program: str = COUNT) -> str:
    """A folder for PYTHONPATH, with which ``python -m fairseq_cli.preprocess`` runs the program."""
    package = folder / "stand in/fairseq_cli"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    (package / "preprocess.py").write_text(program)
    return str(package.parent)


def serve(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``curl`` take what there is in ``folder/served``."""
    for name in ("bin", "served"):
        (folder / name).mkdir()
    (folder / "bin/curl").write_text(CURL)
    (folder / "bin/curl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SERVED", str(folder / "served"))
