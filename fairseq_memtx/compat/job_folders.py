"""Jobs of ``fairseq-hydra-train --multirun`` have files of their own, and read what the user named.

hydra runs every job in a folder of its own: there a relative ``task.data`` is not found, and an
absolute ``checkpoint.save_dir`` is that of all jobs, each of which would go on from the one before.
"""

from pathlib import Path
from typing import Any

from . import around

UPSTREAM = "no thread found: setup_task in fairseq/tasks/__init__.py"
# What a run reads, by section of its configuration.
INPUTS = {
    "task": ("data", "noise", "babi"),
    "checkpoint": ("finetune_from_model", "restore_file"),
}


@around("fairseq.tasks:setup_task", told_by="TASK_DATACLASS_REGISTRY")
def mend(unmended: Any, cfg: Any, **kwargs: Any) -> Any:
    """Settle the files of a job before its task, which is what fairseq sets up first."""
    from hydra.core.hydra_config import HydraConfig

    run = cfg._get_parent() if hasattr(cfg, "_get_parent") else None
    if run is not None and HydraConfig.initialized():
        settle(run, HydraConfig.get())
    return unmended(cfg, **kwargs)


def settle(run: Any, hydra: Any) -> None:
    """Let a run read from the folder in which its command was typed, and write to its own."""
    for section, names in INPUTS.items():
        for name in names:
            given = run[section].get(name)
            typed = Path(hydra.runtime.cwd, given) if given else None
            if typed is not None and not Path(given).exists() and typed.exists():
                run[section][name] = str(typed)
    save_dir = Path(run.checkpoint.save_dir)
    if hydra.mode.name == "MULTIRUN" and save_dir.is_absolute():
        own = Path(hydra.runtime.output_dir)
        if own not in save_dir.parents:
            run.checkpoint.save_dir = str(save_dir / str(hydra.job.num))
