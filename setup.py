"""Packaging. What was tested together is pinned in constraints.txt."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
PACKAGE = (HERE / "fairseq_memtx/__init__.py").read_text(encoding="utf-8")
# Found there by hydra; see its docstring. The first is a namespace, named for pip install -e.
HYDRA_PLUGIN = ["hydra_plugins", "hydra_plugins.fairseq_memtx"]
EXTRAS = {
    "text": ["sacremoses", "subword-nmt", "sacrebleu"],
    "plot": ["matplotlib", "jinja2"],
    "tensorboard": ["tensorboard"],
    # The corpus of scripts/quickstart.sh is made with these two.
    "quickstart": ["num2words", "Babel"],
    "docs": ["mkdocs-material"],
    # scripts/reproduce.sh: intervals, and files of claims.
    "claims": ["scipy", "PyYAML"],
    # pytest-xdist: the tests start dozens of fairseq's commands, and two at a time take half.
    # transformers: a converted model is compared with the one it came from.
    "dev": ["pytest", "pytest-xdist", "hypothesis", "ruff", "mypy", "transformers"],
}

setup(
    name="fairseq-memtx",
    version=re.search(r'__version__ = "(.+)"', PACKAGE)[1],
    description="Memory-augmented transformers for fairseq",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.11,<3.13",
    packages=[*find_packages(include=["fairseq_memtx", "fairseq_memtx.*"]), *HYDRA_PLUGIN],
    package_dir={"hydra_plugins": "fairseq_memtx/hydra_plugins"},
    package_data={"fairseq_memtx": ["py.typed", "config/**/*.yaml", "pictures/*.html"]},
    # tensorboardX: without it every command of fairseq begins by asking for it.
    install_requires=["ve-fairseq==0.12.3", "torch>=2.6", "safetensors", "shtab", "tensorboardX"],
    entry_points={"console_scripts": ["fairseq-memtx = fairseq_memtx.commands.main:main"]},
    extras_require={**EXTRAS, "all": sorted({name for names in EXTRAS.values() for name in names})},
)
