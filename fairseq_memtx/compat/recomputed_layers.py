"""``--checkpoint-activations`` under ``--ddp-backend pytorch_ddp``."""

from typing import Any, Callable

import torch
from torch.utils.checkpoint import checkpoint

from . import around

UPSTREAM = "https://github.com/pytorch/pytorch/issues/24005"


@around(
    "fairseq.modules.checkpoint_activations:_checkpointed_forward", told_by="CheckpointFunction"
)
def mend(
    unmended: Any, forward: Callable[..., Any], offload_to_cpu: bool, *args: Any, **kwargs: Any
) -> Any:
    """Let layers that are recomputed be trained by several workers.

    fairseq's ``checkpoint_wrapper`` starts a backward pass inside the backward pass. There torch's
    data parallelism sees a layer's weights get ready once for every time the layer is used, and
    fails at the second ("mark a variable ready only once"): a controller that layers share, the
    segments of a window or of a document, ``--find-unused-parameters``. torch's way without a pass
    of its own gives the same numbers.
    """
    if offload_to_cpu:  # torch has nothing like it
        return unmended(forward, offload_to_cpu, *args, **kwargs)
    if not torch.is_grad_enabled():
        return forward(*args, **kwargs)
    return checkpoint(forward, *args, use_reentrant=False, **kwargs)
