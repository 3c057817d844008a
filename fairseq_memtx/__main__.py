"""``python -m fairseq_memtx``: the folder for ``--user-dir``, the versions, the architectures."""

from pathlib import Path

from fairseq.models import ARCH_MODEL_REGISTRY

from . import __version__, models, versions  # noqa: F401  (registers all)


def main() -> None:
    """Print what a user needs for a first command, and for a bug report."""
    print(Path(__file__).parent)
    found = {"fairseq_memtx": __version__, **versions.versions()}
    print("versions:", ", ".join(f"{name} {version}" for name, version in found.items()))
    print("architectures:")
    for arch, model in sorted(ARCH_MODEL_REGISTRY.items()):
        if model.__module__.startswith(__package__):
            print(f"  {arch}")


if __name__ == "__main__":
    main()
