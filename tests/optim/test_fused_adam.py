"""`--optimizer fused_adam` makes the updates of fairseq's Adam, and takes its checkpoints."""

import pytest
import torch
from conftest import succeed, train_flags
from fairseq.optim import OPTIMIZER_REGISTRY, FairseqOptimizer
from fairseq.optim.adam import Adam
from omegaconf import OmegaConf

from fairseq_memtx.flags import presets
from fairseq_memtx.optim.fused_adam import FusedAdam

SETTINGS = [
    {},
    {"betas": (0.8, 0.95), "eps": 1e-3},  # an epsilon that is felt
    {"weight_decay": 0.1, "betas": (0.9, 0.98)},
]


def weights(dtype: torch.dtype) -> list[torch.nn.Parameter]:
    numbers = torch.Generator().manual_seed(1)
    shapes = [(30, 5), (7,), (3, 4, 5)]
    return [torch.nn.Parameter(torch.randn(shape, generator=numbers).to(dtype)) for shape in shapes]


def train(own: list[torch.nn.Parameter], optimizer, first: int, last: int) -> None:
    """Updates by gradients that depend on the weights, of which one has some gradients only."""
    for update in range(first, last):
        numbers = torch.Generator().manual_seed(update)
        for index, weight in enumerate(own):
            noise = torch.randn(weight.shape, generator=numbers).to(weight)
            seen = index != 1 or update % 3 == 1
            weight.grad = (0.01 * noise * (1 + weight.detach())) if seen else None
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 / (1 + update / 50)
        optimizer.step()


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize(
    ("dtype", "apart"), [(torch.float64, 1e-12), (torch.float32, 1e-6), (torch.bfloat16, 0)]
)
def test_the_update_is_that_of_fairseqs_adam(settings, dtype, apart):
    """Over 200 updates; in half precision, of which an update is a part of a digit, over one."""
    ours, theirs = weights(dtype), weights(dtype)
    for own, kind in [(ours, FusedAdam), (theirs, Adam)]:
        train(own, kind(own, lr=1, **settings), 0, 200 if apart else 1)
    for one, other, begun in zip(ours, theirs, weights(dtype)):
        torch.testing.assert_close(one, other, rtol=apart, atol=apart)
        assert apart == 0 or not torch.allclose(one, begun, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kinds", [(Adam, FusedAdam), (FusedAdam, Adam)])
def test_either_goes_on_with_the_others_state(kinds):
    straight = weights(torch.float64)
    train(straight, Adam(straight, lr=1, weight_decay=0.01), 0, 60)
    own = weights(torch.float64)
    first, then = (kind(own, lr=1, weight_decay=0.01) for kind in kinds)
    train(own, first, 0, 30)
    then.load_state_dict(first.state_dict())
    train(own, then, 30, 60)
    for one, other in zip(own, straight):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def wrapped(name: str, own: list[torch.nn.Parameter]) -> FairseqOptimizer:
    """As fairseq's trainer has it."""
    cfg = {"adam_betas": "(0.9, 0.98)", "adam_eps": 1e-8, "weight_decay": 0.01, "lr": [1e-3]}
    more = {"use_old_adam": True, "fp16_adam_stats": False, "tpu": False}
    return OPTIMIZER_REGISTRY[name](OmegaConf.create({**cfg, **more}), own)


def backward(own: list[torch.nn.Parameter], update: int) -> None:
    """Give each weight a gradient, the same for the same update."""
    numbers = torch.Generator().manual_seed(update)
    for weight in own:
        weight.grad = torch.randn(weight.shape, generator=numbers).to(weight)


@pytest.mark.parametrize("longest", [0.0, 1e-2, 1e3])
@pytest.mark.parametrize("samples", [64.0, torch.tensor(64)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_are_multiplied_and_clipped_as_by_fairseqs_adam(longest, samples, dtype):
    """Over updates whose norms differ, in float32 and in half precision, of which one is made."""
    models = {name: weights(dtype) for name in ("adam", "fused_adam")}
    optimizers = {name: wrapped(name, own) for name, own in models.items()}
    norms = {name: [] for name in models}
    for update in range(20 if dtype is torch.float32 else 1):
        for name, optimizer in optimizers.items():
            optimizer.zero_grad()
            backward(models[name], update)
            optimizer.multiply_grads((1 + update) / samples)
            norms[name].append(optimizer.clip_grad_norm(longest))
            optimizer.step()
    apart = 1e-5 if dtype is torch.float32 else 1e-2
    torch.testing.assert_close(*norms.values(), rtol=apart, atol=0)
    # Both are 2e-6 away from the same in float64.
    torch.testing.assert_close(*models.values(), rtol=1e-5, atol=5e-6)
    gradients = [[weight.grad for weight in own] for own in models.values()]
    if dtype is torch.float32:  # others are multiplied in float32, and stay
        torch.testing.assert_close(*gradients, rtol=1e-5, atol=0)


@pytest.mark.parametrize("skipped", [True, False])
def test_an_update_is_multiplied_by_its_own_factor_alone(skipped):
    """The one before was left out, since its gradients had overflowed, or made.

    fairseq's ``--fp16`` forgets its own gradients between updates, and asks for no `zero_grad`.
    """
    once, twice = weights(torch.float32), weights(torch.float32)
    for own, updates in [(once, [1]), (twice, [0, 1])]:
        optimizer = wrapped("fused_adam", own)
        for update in updates:
            if skipped:
                optimizer.zero_grad()
            backward(own, update)
            optimizer.multiply_grads(0.0 if update == 0 else 0.5)
            if update or not skipped:
                optimizer.step()
    if skipped:
        assert all(map(torch.equal, once, twice))
    averages = [state["exp_avg"] for state in optimizer.optimizer.state.values()]
    backward(own, 1)
    for weight, average in zip(own, averages):
        torch.testing.assert_close(average, 0.1 * 0.5 * weight.grad)


def test_gradients_are_multiplied_at_once_for_another_optimizer():
    """As the one that fairseq puts around it for ``--zero-sharding os``."""
    (own, *_) = weights(torch.float32)
    optimizer = wrapped("fused_adam", [own])
    optimizer._optimizer = torch.optim.SGD([own], lr=1.0)
    backward([own], 0)
    expected = own.detach() - 0.5 * own.grad / (0.5 * own.grad).norm()
    optimizer.multiply_grads(0.5)
    assert optimizer.clip_grad_norm(1.0) > 1
    optimizer.step()
    torch.testing.assert_close(own, expected, rtol=1e-5, atol=1e-5)


def test_a_closure_is_called_with_gradients():
    (weight, *_) = weights(torch.float64)

    def closure():
        loss = weight.square().sum()
        loss.backward()
        return loss

    assert FusedAdam([weight]).step(closure) > 0
    assert not torch.equal(weight, weights(torch.float64)[0])


def test_flat_weights_and_weights_in_half_precision_are_taken():
    """What fairseq asks an optimizer for, for ``--fp16`` and ``--memory-efficient-fp16``."""
    cfg = OmegaConf.create({"adam_betas": "(0.9, 0.98)", "adam_eps": 1e-8, "weight_decay": 0.0})
    cfg.lr = [1e-3]
    optimizer = OPTIMIZER_REGISTRY["fused_adam"](cfg, weights(torch.float16))
    assert optimizer.supports_flat_params
    assert optimizer.supports_memory_efficient_fp16
    assert optimizer.optimizer_config["betas"] == (0.9, 0.98)


@pytest.mark.training
@pytest.mark.parametrize(("first", "then"), [("adam", "fused_adam"), ("fused_adam", "adam")])
def test_trainings_go_on_with_each_others_checkpoints(first, then, toy_data, tmp_path):
    # With the usual epsilon, weights without a gradient are moved by what rounding leaves of it.
    flags = ["--adam-betas", "(0.9, 0.98)", "--weight-decay", 0.01, "--adam-eps", 1e-4]
    for optimizer, folder, last in [("adam", "straight", 8), (first, "own", 4), (then, "own", 8)]:
        more = ["--optimizer", optimizer, "--max-update", last]
        log = succeed("fairseq-train", *train_flags(toy_data, tmp_path / folder, *flags, *more))
    assert "Loaded checkpoint" in log
    models = [
        torch.load(tmp_path / folder / "checkpoint_last.pt", weights_only=False)["model"]
        for folder in ("straight", "own")
    ]
    torch.testing.assert_close(*models, rtol=1e-4, atol=1e-6)


@pytest.mark.training
def test_half_precision_trains(toy_data, tmp_path):
    flags = ["--optimizer", "fused_adam", "--memory-efficient-fp16"]
    log = succeed("fairseq-train", *train_flags(toy_data, tmp_path, *flags))
    assert "done training" in log


@pytest.mark.training
def test_by_hydra(toy_data, tmp_path):
    log = succeed(
        "fairseq-hydra-train", "--config-dir", presets.FOLDER.parent, f"task.data='{toy_data}'",
        f"common.user_dir='{presets.FOLDER.parents[1]}'", "task=translation", "common.cpu=true",
        "model=mem_transformer_tiny", "criterion=cross_entropy", "optimizer=fused_adam",
        "+optimizer.weight_decay=0.01", "lr_scheduler=fixed", "optimization.lr=[0.001]",
        "optimization.max_update=2", "dataset.max_tokens=400", "checkpoint.no_save=true",
        f"hydra.run.dir='{tmp_path}'",
    )  # fmt: skip
    assert "'_name': 'fused_adam'" in log
    assert "'weight_decay': 0.01" in log
