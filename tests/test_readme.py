"""What the READMEs and pages say is so: paths, flags, architectures, parameter counts."""

import re

import pytest
from conftest import ROOT
from fairseq import options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

from fairseq_memtx.commands import main as command_line
from fairseq_memtx.flags import presets

PAGES = ROOT / "docs"
RELIABILITY = PAGES / "reliability.md"
READMES = [
    *(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
]
TEXT = {path: path.read_text(encoding="utf-8") for path in READMES}


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_named_exist(path):
    named = re.findall(r"(?<!/)(?:scripts|examples|fairseq_memtx)/[\w./-]*\w", TEXT[path])
    assert [name for name in named if not (ROOT / name).exists()] == []
    scripts = re.findall(r"\b[\w-]+\.(?:sh|py)\b", TEXT[path])
    ours = {found.name for found in ROOT.glob("[!.]*/**/*.*")} | {"setup.py"}
    assert [name for name in scripts if name not in ours] == []


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_tests_that_are_named_exist(path):
    """In the tables of promises ``::test_name`` alone is of the file named before it."""
    file, named = None, re.findall(r"`(tests/[\w/.]*\w)?(?:::(test_\w+))?`", TEXT[path])
    assert len(named) > 50 or path != RELIABILITY
    for name, test in named:
        file = ROOT / name if name else file
        assert file is None or file.exists(), name
        assert f"def {test}(" in file.read_text(encoding="utf-8") if test else True


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_flags_that_are_named_exist(path):
    """Every flag of a fairseq command in a code block is one that the command knows."""
    kinds = {
        "train": options.get_training_parser,
        "generate": options.get_generation_parser,
        "interactive": lambda: options.get_generation_parser(interactive=True),
        "eval-lm": options.get_eval_lm_parser,
        "validate": options.get_validation_parser,
    }
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", TEXT[path], re.DOTALL)).replace("\\\n", " ")
    blocks = re.sub(r"\$\(.*?\)", "", blocks)  # another command's words
    for kind, flags in re.findall(rf"^fairseq-({'|'.join(kinds)}) (.*)$", blocks, re.MULTILINE):
        # What is chosen brings flags of its own.
        choices = re.findall(r"--(?:arch|task|criterion|optimizer|lr-scheduler) [\w-]+", flags)
        arguments = " ".join(["data", *choices]).split()
        if kind == "train" and "--arch" not in arguments:
            arguments += ["--arch", "mem_transformer"]
        parser = kinds[kind]()
        options.parse_args_and_arch(parser, arguments, parse_known=True)
        named = re.findall(r"(?<=\s)(--?[a-z][\w-]*)", f" {flags}")
        tools = {
            "moses-no-dash-splits",
            "bpe-codes",
            "gpt2-encoder-json",
            "gpt2-vocab-bpe",
        }  # of the tokenizer and BPE that are chosen
        known = set(parser._option_string_actions) | {f"--{name}" for name in tools}
        assert [flag for flag in named if flag not in known] == []


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_of_ours_that_are_named_exist(path):
    """And so do the flags that are named with them."""
    text = TEXT[path].replace("\\\n", " ")
    for line in re.findall(r"(?<=[`\n(])fairseq-memtx ([^`\n)]*)", text):
        parser, words = command_line.parser(), re.sub(r"#.*", "", line).split()
        while words and parser._subparsers and not words[0].startswith("-"):
            (choices,) = (a.choices for a in parser._subparsers._group_actions)
            for name in words.pop(0).strip("{}").split(","):
                assert name in choices, line
            parser = choices[name]
        named = {word for word in words if word.startswith("--")}
        assert named <= parser._option_string_actions.keys(), line


def test_table_of_recurrent_models():
    """Architectures of `rmt_lm`; one with memory, one with a cache, or both."""
    rows = re.findall(
        r"^\| `(\w+)` \| ([\d, ]+) \| (\d+) \| (\d+) \|$",
        TEXT[PAGES / "recurrent-memory-transformer.md"],
        re.M,
    )
    names = {file.stem for file in presets.FOLDER.glob("*.yaml")}
    assert {row[0] for row in rows} == {name for name in names if "_lm" in name or "xl" in name}
    for arch, sizes, tokens, cache in rows:
        flags = ["data", "--task", "language_modeling", "--arch", arch]
        args = options.parse_args_and_arch(options.get_training_parser(), flags)
        model = convert_namespace_to_omegaconf(args).model
        sizes = [int(size) for size in sizes.split(", ")]
        names = ("layers", "embed_dim", "ffn_embed_dim", "attention_heads")
        assert [getattr(model, f"decoder_{name}") for name in names] == sizes
        assert (model.memory_tokens, model.cache_length) == (int(tokens), int(cache))


def test_table_of_gmat():
    rows = re.findall(
        r"^\| (`gmat_.*?) \| ([\d, ]+) \| (\d+), (\d+) \|$", TEXT[PAGES / "gmat.md"], re.M
    )
    named = [(name, *row[1:]) for row in rows for name in re.findall(r"\w+", row[0])]
    assert {row[0] for row in named} == {file.stem for file in presets.FOLDER.glob("gmat_*.yaml")}
    for arch, sizes, tokens, chunk in named:
        preset = presets.read(arch)
        names = ("layers", "embed_dim", "ffn_embed_dim", "attention_heads")
        assert ", ".join(str(preset[f"encoder_{name}"]) for name in names) == sizes
        assert (preset["memory_tokens"], preset["chunk_size"]) == (int(tokens), int(chunk))


def test_table_of_architectures():
    rows = re.findall(
        r"^\| `(mem_\w+)` \| (.*?) \| (\d+), `([\w-]+)` \|$",
        TEXT[PAGES / "memory-transformer.md"],
        re.M,
    )
    assert len(rows) == len(list(presets.FOLDER.glob("mem_*.yaml")))
    previous = ""
    for arch, sizes, tokens, variant in rows:
        preset = presets.read(arch)
        previous = previous if sizes == "as above" else sizes
        names = ("embed_dim", "ffn_embed_dim", "attention_heads")
        layers = f"{preset['encoder_layers']}+{preset['decoder_layers']}"
        numbers = ", ".join([layers, *(str(preset[f"encoder_{name}"]) for name in names)])
        assert (previous, int(tokens), variant) == (
            numbers, preset["memory_tokens"], preset["memory_variant"],
        )  # fmt: skip


def test_nothing_was_left_to_fill_in():
    for path, text in TEXT.items():
        assert not re.search(r"@[A-Z0-9]+@", text), path
