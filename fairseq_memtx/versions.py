"""Whether this Python and this fairseq will do."""

import sys

from .errors import MemtxError

OLDEST_PYTHON = (3, 11)  # as setup.py has it


def check(python: tuple[int, ...] = sys.version_info[:3]) -> None:
    """Stop early, in one line, where the plugin cannot work.

    So it is with a Python that is too old, and with a fairseq that is missing, cannot be imported,
    or has not the hooks of the 0.12 line.
    """
    if python < OLDEST_PYTHON:
        raise MemtxError(f"Python {'.'.join(map(str, python))} is too old: use Python 3.11 or 3.12")
    try:
        from fairseq.models.transformer import TransformerConfig, TransformerEncoderBase

        for owner, hook in [  # which the plugin overrides
            (TransformerEncoderBase, "forward_embedding"),
            (TransformerEncoderBase, "build_encoder_layer"),
            (TransformerConfig, "from_namespace"),
        ]:
            getattr(owner, hook)
    except Exception as cause:
        found = getattr(sys.modules.get("fairseq"), "__version__", "none that can be imported")
        raise MemtxError(
            f"fairseq 0.12 is needed and {found} was found ({cause}): install the fairseq that is "
            "tested with 'pip install ve-fairseq==0.12.3'"
        ) from cause


def check_registered_once(package: str) -> None:
    """Refuse to be registered from a second folder, or under a second name."""
    from fairseq.models import MODEL_REGISTRY

    first = MODEL_REGISTRY.get("mem_transformer")
    if first is not None and first.__module__.split(".")[0] != package:
        folder, second = (
            sys.modules[name].__path__[0] for name in (first.__module__.split(".")[0], package)
        )
        raise MemtxError(
            f"the models of {second} were registered from {folder} before: give that folder to "
            "--user-dir, or leave one of the two out"
        )
