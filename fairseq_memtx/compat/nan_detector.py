"""Where the first NaN of a training run comes from."""

from typing import Any

from torch import nn

from . import around

UPSTREAM = "no thread found: NanDetector.add_hooks in nan_detector.py"


@around("fairseq.nan_detector:NanDetector.add_hooks", told_by="bhook_fn")
def mend(unmended: Any, detector: Any, module: nn.Module) -> None:
    """Look at the gradients of modules that give a tensor, and of no others.

    When gradients are NaN, fairseq goes through the step once more with a hook on every module,
    and logs where the first NaN is (``nan_detector.py``, ``add_hooks``). torch looks for a tensor
    in what such a module gives, and finds none in the dict of lists of an encoder: the run ends
    with ``StopIteration`` in place of what was wrong.
    """
    backward, detector.backward = detector.backward, not any(True for _ in module.children())
    unmended(detector, module)
    detector.backward = backward
