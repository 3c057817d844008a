"""Every block of every page runs, from the page's top to its bottom, in a fresh clone, made small.

A block is a shell of its own: it needs no function or variable of another one, only files.
"""

import re
from collections.abc import Sequence

import pytest
from conftest import ROOT
from test_pages import BLOCK
from test_readme import READMES, TEXT
from walked_pages import raw_files, shell

# What begins a line that is not run here, and why.
NOT_RUN = {
    "bash scripts/quickstart.sh": "takes minutes: tests/scripts/test_quickstart.py",
    "bash scripts/run_tests.sh": "it is these tests",
    "python -m pytest": "it is these tests",
    "bash scripts/benchmarks/run.sh": "measures for minutes: tests/scripts/test_benchmark.py",
    "bash scripts/reproduce.sh": "takes an hour: tests/scripts/test_reproduce.py",
    "bash scripts/gpu_check.sh": "tests/scripts/test_gpu_check.py",
    "bash examples/long_memory/run.sh": "takes half an hour: tests/test_long_memory_recipe.py",
    "SEEDS=3 bash examples/long_memory/run.sh": "an hour: tests/test_long_memory_recipe.py",
    "git clone": "needs a network",
    "pip install": "needs a network",
    "hf download": "needs a network",
}
# Blocks of other pages that a page says to begin with: page and number.
BEFORE = {"docs/inspection.md": [("examples/long_memory/README.md", 1), ("README.md", 3)]}
PAGES = [path for path in READMES if re.search(r"```(bash|python)\n", TEXT[path])]
ENDED = "walked_pages: block "


def blocks(text: str) -> list[tuple[str, str]]:
    """Kind and text of the blocks that are to run."""
    found = []
    for indent, kind, block in BLOCK.findall(text):
        if kind in ("bash", "python"):
            lines = [line.removeprefix(indent) for line in block.splitlines()]
            found.append((kind, "\n".join(lines) + "\n"))
    return found


def without_what_is_not_run(block: str) -> str:
    """The same, with a line that does nothing for each of `NOT_RUN`."""
    for start, reason in NOT_RUN.items():
        pattern = rf"^{re.escape(start)}\b(.*\\\n)*.*$"
        block = re.sub(pattern, f"true  # not run: {reason}", block, flags=re.MULTILINE)
    return block


def script(text: str, before: Sequence[tuple[str, int]] = ()) -> str:
    """The blocks of a page as one program of bash, behind those of others."""
    parts = []
    others = [blocks(TEXT[ROOT / page])[number - 1] for page, number in before]
    for number, (kind, block) in enumerate([*others, *blocks(text)], start=1 - len(others)):
        if kind == "python":
            block = f"python - <<'END_OF_BLOCK'\n{block}END_OF_BLOCK\n"
        parts.append(f"(\n{without_what_is_not_run(block)}\n)\necho '{ENDED}{number}'\n")
    return "".join(parts)


@pytest.mark.training
@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_page_runs(path, tmp_path):
    if path.name == "from-hugging-face.md":
        pytest.importorskip("transformers", reason="its folders are made by transformers")
        raw_files.hugging_face(tmp_path)
    before = BEFORE.get(str(path.relative_to(ROOT)), ())
    result = shell.run(script(TEXT[path], before), tmp_path)
    told = f"{result.stdout[-2500:]}\n{result.stderr[-2500:]}"
    assert result.returncode == 0, f"after block {result.stdout.count(ENDED)}: {told}"
    assert result.stdout.count(ENDED) == len(before) + len(blocks(TEXT[path]))


def test_whatever_is_not_run_is_named_somewhere():
    """And nothing but such lines is left out."""
    everything = "\n".join(block for path in PAGES for _, block in blocks(TEXT[path]))
    for start in NOT_RUN:
        assert start in everything or start in ("pip install", "git clone", "hf download"), start


def test_reasons_name_tests_that_exist():
    for reason in NOT_RUN.values():
        for name in re.findall(r"tests/[\w/]+\.py", reason):
            assert (ROOT / name).exists(), name


@pytest.mark.training
@pytest.mark.parametrize(
    "line",
    ["false | cat", "fairseq-memtx report nowhere", "fairseq-memtx prepare numbers x --no-such 1",
     "python -c 'no such program'", "curl --output x https://elsewhere.org/x"],
)  # fmt: skip
def test_a_block_that_fails_is_seen(line, tmp_path):
    page = f"```bash\ntrue\n```\n```bash\n{line}\necho unseen\n```\n"
    result = shell.run(script(page), tmp_path)
    assert result.returncode != 0
    assert result.stdout == f"{ENDED}1\n"


@pytest.mark.training
def test_what_another_page_made_is_no_excuse(tmp_path):
    text = "fairseq-memtx prepare numbers text\n"
    pieces = (
        "fairseq-memtx prepare translation --source de --target en --train text/train "
        "--valid text/val --test text/test --bpe-size 100 --dest pieces\n"
    )
    for name, page, works in (("a", text + pieces, 1), ("b", text + pieces, 1), ("c", pieces, 0)):
        (tmp_path / name).mkdir()
        result = shell.run(f"{page}test -f pieces/dict.en.txt\n", tmp_path / name)
        assert (result.returncode == 0) is bool(works), result.stderr
