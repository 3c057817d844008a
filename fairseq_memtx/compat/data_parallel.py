"""``--ddp-backend pytorch_ddp``, the default, on a CPU too, and with weights that rest."""

import logging
from typing import Any

from fairseq.models import distributed_fairseq_model
from fairseq.modules import AdaptiveInput, LayerDropModuleList
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from . import where

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/2879"

logger = logging.getLogger(__name__)


@where(lambda: distributed_fairseq_model.DistributedDataParallel is DistributedDataParallel)
def mend() -> None:
    """Let ``--ddp-backend pytorch_ddp`` start on a CPU, and wait for no weight that rests.

    fairseq's wrapper (``distributed_fairseq_model.py``) always names a GPU, which torch refuses for
    a model on the CPU. And torch waits in every step for the gradient of every weight, unless
    ``--find-unused-parameters`` is given; fairseq leaves it to the user to know when.
    """
    distributed_fairseq_model.DistributedDataParallel = _data_parallel


def _data_parallel(module: nn.Module, **options: Any) -> DistributedDataParallel:
    """That of torch, with the device and the search for unused weights that the model needs."""
    if all(parameter.device.type == "cpu" for parameter in module.parameters()):
        options |= {"device_ids": None, "output_device": None}
    if not options.get("find_unused_parameters") and weights_may_rest(module):
        logger.info(
            "--find-unused-parameters is on: not every step needs every weight of the model"
        )
        options["find_unused_parameters"] = True
    return DistributedDataParallel(module, **options)


def weights_may_rest(model: nn.Module) -> bool:
    """Whether some weights may get no gradient in a step, or in any.

    Layers that are dropped, embeddings of rare words of which a batch has none, and what a model
    itself knows of (its attribute ``weights_may_rest``).
    """
    return getattr(model, "weights_may_rest", False) or any(
        isinstance(module, (AdaptiveInput, LayerDropModuleList)) for module in model.modules()
    )
