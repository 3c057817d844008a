"""``--amp``, whose gradients fairseq unscales twice."""

from typing import Any

from . import around

UPSTREAM = "no thread found: AMPOptimizer.step in optim/amp_optimizer.py"


@around("fairseq.optim:AMPOptimizer.step", told_by="fp32_optimizer")
def mend(unmended: Any, optimizer: Any) -> None:
    """Divide the gradients of ``--amp`` by the scale of the loss once.

    torch's scaler remembers of every optimiser whether it was unscaled. fairseq
    (``optim/amp_optimizer.py``) unscales torch's optimiser before it clips gradients and then steps
    its own wrapper around it, which the scaler takes for another one, and unscales again. Adam does
    not mind gradients 128 times too small until they come near its epsilon; the scale grows while
    training goes well, and then they do.
    """
    optimizer.scaler.step(optimizer.optimizer)
    optimizer.scaler.update()
