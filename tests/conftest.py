"""What the tests share: small models in memory, a toy corpus, and fairseq's commands."""

import multiprocessing
import os
import random
import re
import subprocess
import sys
import venv
from argparse import Namespace
from collections import Counter
from importlib import metadata
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
# Tiny models crawl when OpenMP's threads spin.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)

from fairseq.data import Dictionary  # noqa: E402
from fairseq.models import ARCH_CONFIG_REGISTRY  # noqa: E402
from gpu_check import parsed_settings, warm_commands  # noqa: E402, F401  the first as it is loaded

from fairseq_memtx.commands.main import main  # noqa: E402
from fairseq_memtx.models.mem_transformer import MemoryTransformerModel  # noqa: E402

SMALL = {
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_embed_dim": 16,
    "encoder_ffn_embed_dim": 32,
    "encoder_attention_heads": 2,
    "decoder_embed_dim": 16,
    "decoder_ffn_embed_dim": 32,
    "decoder_attention_heads": 2,
    "share_all_embeddings": True,
}
VARIANTS = ["tokens", "controller", "shared-controller", "bottleneck", "bottleneck-skip"]
# What takes minutes goes first: begun last, it would leave one of two workers with nothing to do.
LONGEST = [
    "tests/test_pages_run.py",
    "tests/models/test_rmt_without_values.py",
    "tests/scripts/test_benchmark.py",
    "tests/scripts/test_gpu_check.py",
    "tests/test_several_workers.py",
    "tests/scripts/test_reproduce.py",
    "tests/models/test_compile_families.py",
    "tests/test_restarts.py",
    "tests/tasks/test_rmt_language_modeling.py",
    "tests/compat/test_data_parallel.py",
    "tests/inspection/test_inspect.py",
    "tests/test_wheel.py",
    "tests/test_two_hosts.py",
]


def pytest_addoption(parser) -> None:
    """Add ``--quick``: what can be tried without a second process, a training or a fuzz test.

    And ``--cases``: how many broken inputs `tests/fuzz` tries.
    """
    parser.addoption("--quick", action="store_true", help="no second process, training or fuzz")
    parser.addoption("--cases", type=int, default=1500, help="broken inputs of tests/fuzz")


def pytest_configure(config) -> None:
    """Leave out by their marks what takes long."""
    if config.getoption("--quick") and not config.option.markexpr:
        config.option.markexpr = "not training and not processes and not fuzz"


def pytest_collection_modifyitems(items) -> None:
    """Begin with what takes longest (`scripts/run_tests.sh` has the workers keep this order)."""
    first = {ROOT / path: place for place, path in enumerate(LONGEST)}
    items.sort(key=lambda item: first.get(item.path, len(first)))


@pytest.fixture(scope="session", autouse=True)
def one_process(request):
    """With ``--quick``: skip, and say so, whatever would start another process."""
    if not request.config.getoption("--quick"):
        yield
        return

    def skip(*arguments, **options) -> None:
        pytest.skip("starts a second process, which --quick leaves out")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", skip)
        patch.setattr(multiprocessing.process.BaseProcess, "start", skip)
        yield


def words(count: int = 20) -> Dictionary:
    """A dictionary of ``count`` words."""
    dictionary = Dictionary()
    for index in range(count):
        dictionary.add_symbol(f"w{index}")
    return dictionary


def toy_task(dictionary: Dictionary | None = None) -> Namespace:
    """As much of a task as a model asks for."""
    dictionary = dictionary or words()
    return Namespace(
        source_dictionary=dictionary, target_dictionary=dictionary, cfg=Namespace(data=None)
    )


def build(
    variant: str = "tokens",
    memory_tokens: int = 3,
    seed: int = 1,
    dictionary: Dictionary | None = None,
    **flags,
) -> MemoryTransformerModel:
    """A small model in float64, in evaluation mode."""
    torch.manual_seed(seed)
    args = Namespace(
        memory_tokens=memory_tokens, memory_variant=variant, **{**SMALL, "dropout": 0.0, **flags}
    )
    ARCH_CONFIG_REGISTRY["mem_transformer"](args)
    return MemoryTransformerModel.build_model(args, toy_task(dictionary)).double().eval()


def batch(*lengths: int, left: bool = True, seed: int = 2) -> torch.Tensor:
    """Random source sentences ``B x T`` of the given lengths (end of sentence included), padded."""
    dictionary = words()
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for length in lengths:
        text = torch.randint(4, len(dictionary), (length - 1,), generator=generator)
        padding = torch.full((max(lengths) - length,), dictionary.pad())
        text = torch.cat([text, torch.tensor([dictionary.eos()])])
        rows.append(torch.cat([padding, text] if left else [text, padding]))
    return torch.stack(rows)


def run(
    command: str, *arguments: object, cwd: Path = ROOT, **options
) -> subprocess.CompletedProcess:
    """Run a command of the environment, such as ``fairseq-train``, or a ``module:function``."""
    arguments = list(map(str, arguments))
    if command == "fairseq-memtx":  # of this checkout, installed or not
        command = "fairseq_memtx.commands.main:main"
    if command.startswith("fairseq-") or ":" in command:
        return warm_commands.run(command, arguments, cwd, timeout=300, **options)[0]
    program = str(Path(sys.executable).with_name(command))
    return subprocess.run(
        [program, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300, **options
    )


def memtx(*arguments: object) -> int:
    """The exit code of ``fairseq-memtx``, run in this process."""
    return main(list(map(str, arguments)))


def run_workers(
    command: str, *arguments: object, workers: int = 2, timeout: float = 240, **options
) -> list[subprocess.CompletedProcess]:
    """`run` as several workers of one run; returns what each printed, in their order."""
    arguments = list(map(str, arguments))
    return warm_commands.run(command, arguments, ROOT, timeout, workers=workers, **options)


def workers_succeed(*arguments: object, **options) -> str:
    """`run_workers`, and fail the test where one of them fails; returns what the first printed."""
    results = run_workers(*arguments, **options)
    for result in results:
        assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
    assert f"training on {len(results)} devices" in results[0].stdout
    return results[0].stdout + results[0].stderr


def with_commands() -> dict[str, str]:
    """The variables of a shell in which the environment of the tests comes first on PATH."""
    folder = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": os.pathsep.join([folder, os.environ["PATH"]])}


def succeed(*arguments: object, **options) -> str:
    """`run`, and fail the test with the command's own words where it fails."""
    result = run(*arguments, **options)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output[-4000:]
    return output


def fail(*arguments: object, **options) -> str:
    """`run` a command that has to fail in one clear line; returns that line."""
    result = run(*arguments, **options)
    assert result.returncode != 0
    assert "Traceback" not in result.stderr, result.stderr[-4000:]
    return result.stderr.strip().splitlines()[-1]


@pytest.fixture(scope="session")
def toy_text(tmp_path_factory) -> Path:
    """Sentences of number words and the same reversed: ``{train,valid,test}.{src,tgt}``."""
    folder = tmp_path_factory.mktemp("toy text")
    numbers = random.Random(1)
    vocabulary = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    for split, count in [("train", 300), ("valid", 20), ("test", 12)]:
        with (
            open(folder / f"{split}.src", "w") as source,
            open(folder / f"{split}.tgt", "w") as target,
        ):
            for _ in range(count):
                sentence = numbers.choices(vocabulary, k=numbers.randint(2, 7))
                source.write(" ".join(sentence) + "\n")
                target.write(" ".join(reversed(sentence)) + "\n")
    return folder


@pytest.fixture(scope="session")
def toy_data(toy_text, tmp_path_factory) -> Path:
    """`toy_text` as ``fairseq-preprocess`` binarises it."""
    folder = tmp_path_factory.mktemp("toy data") / "bin"
    prefixes = [f"--{split}pref={toy_text / split}" for split in ("train", "valid", "test")]
    succeed(
        "fairseq-preprocess", "-s", "src", "-t", "tgt", *prefixes,
        "--joined-dictionary", "--destdir", folder,
    )  # fmt: skip
    return folder


def train_flags(data: Path, save_dir: Path, *more: object) -> list[object]:
    """Flags of a training run of seconds; later ones win."""
    flags = (
        "-s src -t tgt --user-dir fairseq_memtx --arch mem_transformer_tiny --encoder-embed-dim 32 "
        "--decoder-embed-dim 32 --encoder-ffn-embed-dim 32 --decoder-ffn-embed-dim 32 "
        "--memory-tokens 3 --optimizer adam --lr 5e-3 --criterion label_smoothed_cross_entropy "
        "--max-tokens 400 --max-update 6 --log-format simple --log-interval 2 --cpu "
        "--num-workers 0 --no-epoch-checkpoints --seed 1"
    )
    return [data, *flags.split(), "--save-dir", save_dir, *more]


@pytest.fixture(scope="session")
def trained(toy_data, tmp_path_factory) -> Path:
    """Folder of a model that a real ``fairseq-train`` wrote, with ``checkpoint_last.pt``."""
    folder = tmp_path_factory.mktemp("trained")
    succeed("fairseq-train", *train_flags(toy_data, folder, "--max-update", 150))
    return folder


@pytest.fixture(scope="session")
def toy_lm(toy_text, tmp_path_factory) -> Path:
    """The toy corpus, binarised for language models."""
    data = tmp_path_factory.mktemp("toy lm") / "bin"
    succeed(
        "fairseq-preprocess", "--only-source", "--trainpref", toy_text / "train.src",
        "--validpref", toy_text / "valid.src", "--destdir", data,
    )  # fmt: skip
    for kind in ("bin", "idx"):
        (data / f"heldout.{kind}").write_bytes((data / f"valid.{kind}").read_bytes())
    return data


@pytest.fixture(scope="session")
def torch_alone(tmp_path_factory) -> str:
    """The Python of a virtual environment that has torch, what torch needs, and nothing else."""
    return python_with(tmp_path_factory.mktemp("torch alone"), "torch")


@pytest.fixture(scope="session")
def torch_and_safetensors(tmp_path_factory) -> str:
    """The same with safetensors."""
    return python_with(tmp_path_factory.mktemp("safetensors"), "torch", "safetensors")


def python_with(folder: Path, *packages: str) -> str:
    """The Python of a virtual environment that has packages, what they need, and nothing else."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    found, wanted = set(), [*packages]
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        found.add(name)
        needs = metadata.requires(name) or []
        wanted += [re.match(r"[\w.-]+", need)[0] for need in needs if ";" not in need]
        for top in {file.parts[0] for file in metadata.files(name)} - {"..", "__pycache__"}:
            (site / top).symlink_to(metadata.distribution(name).locate_file(top))
    return str(folder / "bin/python")


# --- broken inputs -----------------------------------------------------------------------------

TALLIES: dict[str, Counter[str]] = {}


@pytest.fixture
def fuzz(request, tmp_path):
    """A function that tries a kind's share of the cases; see `referee.judge`."""
    from referee import judge

    kinds = sum("fuzz" in getattr(item, "fixturenames", ()) for item in request.session.items)

    def tried(kind: str, strategy, case, share: float = 1) -> None:
        cases = max(1, int(share * request.config.getoption("--cases") / kinds))
        judge(kind, cases, strategy, case, tmp_path, TALLIES.setdefault(kind, Counter()))

    return tried


def pytest_terminal_summary(terminalreporter) -> None:
    """Print how the cases of each kind ended."""
    everything = {**TALLIES, "all": sum(TALLIES.values(), Counter())} if TALLIES else {}
    for kind, tally in everything.items():
        told = ", ".join(f"{tally[end]} {end}s" for end in ("result", "line", "fault"))
        terminalreporter.write_line(f"{kind}: {sum(tally.values())} cases, {told}")
