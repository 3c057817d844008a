"""All that is looked at, in the order in which one thing needs another."""

from collections.abc import Callable, Iterator

from ..errors import explain
from . import Finding, machine, packages

LOOKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    packages.python,
    packages.needed,
    packages.plugin,
    packages.mends,
    packages.installation,
    machine.gpus,
    machine.precisions,
    machine.bfloat16_instructions,
    machine.threads,
    packages.optional,
)


def examine() -> Iterator[Finding]:
    """All findings; a look that fails is one too."""
    for look in LOOKS:
        try:
            yield from look()
        except ModuleNotFoundError:
            continue  # which has been told already
        except Exception as error:
            told = explain(error) or " ".join(f"{type(error).__name__}: {error}".split())[:200]
            yield Finding("fault", f"{look.__name__} could not be looked at ({told})", "see above")
