"""The pages hold together: links, blocks, flags, tables, and the site that is made of them."""

import ast
import re
import subprocess
from functools import cache

import flag_tables
import pytest
import yaml
from conftest import ROOT
from fairseq import options
from test_readme import READMES, TEXT

from fairseq_memtx.commands import main as command_line
from fairseq_memtx.flags.listing import groups

DOCS = sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^( *)```([\w-]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# Of pip, torchrun, hydra and others, and of the published code.
OF_OTHERS = {
    "--build-option", "--cpp_ext", "--cuda_ext", "--config-settings", "--no-build-isolation",
    "--local-dir", "--nnodes", "--nproc_per_node", "--rdzv_backend", "--rdzv_id", "--rdzv_endpoint",
    "--rdzv_conf", "--local_addr", "--config-dir", "--config-name", "--multirun", "--strict",
}  # fmt: skip
PUBLISHED = {
    "--tgt_len", "--mem_len", "--num_mem_tokens", "--mem_at_end", "--read_mem_from_cache",
    "--mem_backprop_depth", "--batch_size", "--n_layer", "--d_model", "--d_inner", "--n_head",
    "--cutoffs", "--adaptive",
}  # fmt: skip
page = pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))


def prose(text: str) -> str:
    """A page without its blocks."""
    return BLOCK.sub("", text)


def anchors(text: str) -> set[str]:
    """What may follow a ``#``: headings in small letters, without what is no letter."""
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in headings}


@page
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(TEXT[path])):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), target
        assert file.is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), target


@page
def test_blocks_can_be_read(path):
    """Every block says what it is; bash and Python in it are bash and Python."""
    for indent, kind, block in BLOCK.findall(TEXT[path]):
        assert kind, f"a block that does not say what it is: {block[:50]}"
        lines = "\n".join(line.removeprefix(indent) for line in block.splitlines())
        if kind == "bash":
            subprocess.run(["bash", "-n"], input=lines, text=True, check=True)
        elif kind == "python":
            ast.parse(lines)


@cache
def flags_of_everything() -> set[str]:
    """Of fairseq's commands, our architectures with their tasks, our commands and scripts."""
    parsers = [
        options.get_training_parser(), options.get_generation_parser(interactive=True),
        options.get_eval_lm_parser(), options.get_validation_parser(),
        options.get_preprocessing_parser(),
    ]  # fmt: skip
    names = {name for parser in parsers for name in parser._option_string_actions}
    for arch, tasks in flag_tables.TASKS.items():
        for task, criterion in {**tasks, **MORE_TASKS.get(arch, {})}.items():
            for actions in groups(arch, task, criterion).values():
                names |= {name for action in actions for name in action.option_strings}
    chosen = ["--arch", "rmt_lm", "--task", "rmt_language_modeling", "--optimizer", "adam"]
    options.parse_args_and_arch(parsers[0], ["data", *chosen], parse_known=True)
    names |= set(parsers[0]._option_string_actions)
    for chosen in (["--bpe", "gpt2"], ["--bpe", "subword_nmt"], ["--tokenizer", "moses"]):
        parser = options.get_generation_parser()
        line = ["data", "--path", "none", *chosen]
        options.parse_args_and_arch(parser, line, parse_known=True)
        names |= set(parser._option_string_actions)
    todo = [command_line.parser()]
    while todo:
        names |= todo[-1]._option_string_actions.keys()
        groups_of = todo.pop()._subparsers
        todo += [*groups_of._group_actions[0].choices.values()] if groups_of else []
    scripts = [
        *ROOT.glob("scripts/**/*"),
        *ROOT.glob("examples/*/*"),
        *ROOT.glob("tests/gpu_check/*"),
    ]
    for script in [*scripts, ROOT / "tests/conftest.py"]:
        if script.suffix in {".py", ".sh"}:
            names |= set(re.findall(r"--[a-z][\w-]*", script.read_text(encoding="utf-8")))
    return names


MORE_TASKS = {
    "gmat_roberta": {"masked_lm": "masked_lm", "sentence_prediction": "sentence_prediction"}
}


@page
def test_every_flag_that_is_named_exists(path):
    """In prose and blocks; the tables are written from the parsers themselves."""
    text = re.sub(r"<!-- flags of.*?<!-- end of flags -->", "", TEXT[path], flags=re.DOTALL)
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text))
    known = flags_of_everything() | OF_OTHERS | PUBLISHED
    assert sorted(named - known) == []


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.stem)
def test_tables_of_flags_are_those_of_today(path):
    """Otherwise: python scripts/flag_tables.py"""
    text = path.read_text(encoding="utf-8")
    assert flag_tables.page_with_tables(text) == text


def test_the_front_page_is_short():
    assert len(TEXT[ROOT / "README.md"].splitlines()) <= 200


def entries(nav: list) -> list[str]:
    """Pages of a navigation."""
    found = []
    for entry in nav:
        for part in entry.values() if isinstance(entry, dict) else [entry]:
            found += entries(part) if isinstance(part, list) else [part]
    return found


def test_every_page_has_its_place():
    """In the navigation, and the front page leads to each of docs/."""
    settings = re.sub(r"!!python/name:\S+", "''", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    named = entries(yaml.safe_load(settings)["nav"])
    pages = {path.relative_to(ROOT).as_posix().removeprefix("docs/") for path in READMES}
    assert set(named) == pages
    assert len(named) == len(set(named))
    front = TEXT[ROOT / "README.md"]
    assert [path.name for path in DOCS if f"(docs/{path.name})" not in front] == []


def test_the_site(tmp_path):
    """As ``mkdocs build --strict`` makes it: pages, recipes, pictures, drawings."""
    pytest.importorskip("material", reason="mkdocs-material is not installed: the extra 'docs'")
    command = ["python", "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    front = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'src="examples/long_memory/one-fact.png"' in front
    assert (tmp_path / "examples/long_memory/one-fact.png").exists()
    assert 'class="mermaid"' in (tmp_path / "gmat/index.html").read_text(encoding="utf-8")
