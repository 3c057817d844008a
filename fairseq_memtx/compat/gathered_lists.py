"""Lists of figures that workers exchange, also without a GPU."""

from typing import Any

import torch.distributed
from fairseq import utils
from fairseq.distributed import utils as distributed_utils

from . import around

UPSTREAM = "https://github.com/facebookresearch/fairseq/issues/1491"


@around("fairseq.distributed.utils:all_gather_list", told_by="ByteTensor")
def mend(unmended: Any, data: Any, group: Any = None, max_size: int = 16384) -> list[Any]:
    """Let workers without a GPU exchange lists of figures, of any size.

    fairseq's ``all_gather_list`` (``distributed/utils.py``), by which ``fairseq-validate`` sums the
    losses of its workers, keeps its buffers on a GPU and ends where the list is longer than
    ``--all-gather-list-size``. torch's own knows neither limit.
    """
    if distributed_utils.use_xla():
        return unmended(data, group, max_size)
    group = distributed_utils.get_global_group() if group is None else group
    of_workers = [None] * distributed_utils.get_world_size(group)
    torch.distributed.all_gather_object(of_workers, utils.move_to_cpu(data), group)
    return of_workers
