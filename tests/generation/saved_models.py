"""Small models with random weights, as ``fairseq-train`` writes them."""

from pathlib import Path

import torch
from fairseq import checkpoint_utils, options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import OmegaConf


def save_model(data: Path | None, file: Path, *flags: str) -> None:
    """Save a model of these flags of ``fairseq-train``, for a folder if they need one."""
    args = options.parse_args_and_arch(
        options.get_training_parser(), [*([str(data)] if data else []), "--batch-size", "2", *flags]
    )
    cfg = convert_namespace_to_omegaconf(args)
    task = tasks.setup_task(cfg.task)
    torch.manual_seed(1)
    model = task.build_model(cfg.model)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    saved = {"args": None, "cfg": OmegaConf.to_container(cfg), "model": model.state_dict()}
    saved["extra_state"] = {"train_iterator": {"epoch": 1}}
    saved["optimizer_history"] = [{"num_updates": 0, "lr_scheduler_state": {}}]
    checkpoint_utils.torch_persistent_save(saved, str(file))
