"""``--optimizer fused_adam``: fairseq's Adam, in one kernel of torch on a CPU and on a GPU."""

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Callable, List

import torch
from fairseq.dataclass import FairseqDataclass
from fairseq.optim import FairseqOptimizer, register_optimizer
from fairseq.optim.adam import Adam, FairseqAdam
from omegaconf import II
from torch import Tensor

HALVES = (torch.float16, torch.bfloat16)


class FusedAdam(Adam):
    """The update of fairseq's `Adam`, whose state it has too; so either goes on with the other's.

    torch adds epsilon to the root of a mean that is corrected for its beginning, fairseq to one
    that is not: torch gets an epsilon that makes up for it. Weights in half precision are updated
    in float32 and rounded.

    Gradients are multiplied on the way, by `gradient_factor`, which saves going through them for
    that alone.
    """

    gradient_factor: float | Tensor = 1.0  # of the next update, in float32

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget gradients, and what they were to be multiplied by."""
        super().zero_grad(set_to_none)
        self.gradient_factor = 1.0

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every weight that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            # A weight that had no gradient before is behind the others, and corrected otherwise.
            alike = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    alike[weight.device, self._steps_of(weight)].append(weight)
            for (device, steps), weights in alike.items():
                self._update(weights, group, steps + 1, device)
        self.gradient_factor = 1.0
        return loss

    def _steps_of(self, weight: Tensor) -> int:
        """How often it was updated; at first its state begins."""
        state = self.state[weight]
        if not state:
            zeros = torch.zeros_like(_exact(weight))
            state.update(step=0, exp_avg=zeros, exp_avg_sq=zeros.clone())
        return int(state["step"])

    def _update(
        self, weights: list[Tensor], group: dict[str, Any], steps: int, device: torch.device
    ) -> None:
        exact, gradients, means, squares = [], [], [], []
        for weight in weights:
            state = self.state[weight]
            exact.append(_exact(weight))
            gradients.append(_exact(weight.grad))
            for name in ("exp_avg", "exp_avg_sq"):
                state[name] = state[name].to(exact[-1])
            means.append(state["exp_avg"])
            squares.append(state["exp_avg_sq"])
            state["step"] = steps
        beta1, beta2 = group["betas"]
        factor, one = self.gradient_factor, torch.ones((), dtype=torch.float32, device=device)
        if isinstance(factor, Tensor):  # the norm of gradients on several devices is on one
            factor = factor.to(device)
        torch._fused_adamw_(
            exact,
            gradients,
            means,
            squares,
            [],
            [torch.full((), steps, dtype=torch.float32, device=device)] * len(exact),
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=group["weight_decay"],
            eps=group["eps"] / math.sqrt(1 - beta2**steps),
            amsgrad=False,
            maximize=False,
            grad_scale=one.div_(factor),  # torch divides by it
        )
        for weight, updated in zip(weights, exact):
            if weight.dtype in HALVES:
                weight.copy_(updated)


def _exact(weight: Any) -> Tensor:
    return weight.float() if weight.dtype in HALVES else weight


@dataclass
class FusedAdamConfig(FairseqDataclass):
    """The flags of ``--optimizer adam`` that have to do with its update."""

    adam_betas: Any = field(
        default=(0.9, 0.999), metadata={"help": "betas of Adam, such as '(0.9, 0.98)'"}
    )
    adam_eps: float = field(default=1e-8, metadata={"help": "epsilon of Adam"})
    weight_decay: float = field(default=0.0, metadata={"help": "weight decay, beside the gradient"})
    lr: List[float] = II("optimization.lr")


@register_optimizer("fused_adam", dataclass=FusedAdamConfig)
class FairseqFusedAdam(FairseqAdam):
    """`FusedAdam` as fairseq's trainer uses it."""

    def __init__(self, cfg: FusedAdamConfig, params: Any) -> None:
        FairseqOptimizer.__init__(self, cfg)  # its own class would choose among its own optimizers
        self._optimizer = FusedAdam(params, **self.optimizer_config)

    @property
    def multiplies(self) -> bool:
        """Whether gradients are multiplied by `FusedAdam`; not behind what shards its state."""
        return isinstance(self.optimizer, FusedAdam)

    def multiply_grads(self, c: float | Tensor) -> None:
        """Multiply gradients, when they are used."""
        if not self.multiplies:
            super().multiply_grads(c)
            return
        self.optimizer.gradient_factor = self.optimizer.gradient_factor * c

    def clip_grad_norm(self, max_norm: float, aggregate_norm_fn: Any = None) -> Tensor:
        """The norm of the gradients, which are clipped when they are used."""
        if not self.multiplies:
            return super().clip_grad_norm(max_norm, aggregate_norm_fn)
        norm: Tensor = super().clip_grad_norm(0.0, aggregate_norm_fn)
        norm = norm * self.optimizer.gradient_factor
        if max_norm > 0:
            self.multiply_grads((max_norm / (norm + 1e-6)).clamp(max=1))
        return norm


# A checkpoint tells the name of this class, and fairseq goes on with none of another name. The
# state being the same, so is the name.
FairseqFusedAdam.__name__ = FairseqAdam.__name__
