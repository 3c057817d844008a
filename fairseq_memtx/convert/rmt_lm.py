"""An `rmt_lm` of weights that came from elsewhere."""

from pathlib import Path
from typing import Any

from fairseq.criterions.cross_entropy import CrossEntropyCriterionConfig
from fairseq.data import Dictionary
from fairseq.dataclass.configs import FairseqConfig
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from ..errors import MemtxError
from ..models.rmt_flags import RmtLanguageModelConfig
from ..tasks.rmt_language_modeling import RmtLanguageModelingConfig, RmtLanguageModelingTask
from .weights import check_shapes, new_checkpoint


def configuration(data: str, segment_length: int, **model: Any) -> DictConfig:
    """The configuration of a model, as ``fairseq-train`` would save it."""
    criterion = CrossEntropyCriterionConfig(_name="cross_entropy")
    task = RmtLanguageModelingConfig(
        _name="rmt_language_modeling", data=data, tokens_per_sample=segment_length
    )
    model_config = RmtLanguageModelConfig(_name="rmt_lm", **model)
    return OmegaConf.structured(FairseqConfig(task=task, model=model_config, criterion=criterion))


def check_fits(path: Path, own: dict[str, Tensor], cfg: Any, dictionary: Dictionary) -> None:
    """Refuse weights that the model that the configuration builds has not, naming the first."""
    try:
        task = RmtLanguageModelingTask(cfg.task, dictionary, dictionary, ["future"])
        model = task.build_model(cfg.model).state_dict()
    except Exception as cause:  # whatever its settings lead to
        raise MemtxError(f"{path} makes no model: {str(cause).splitlines()[0]}") from cause
    check_shapes(own, model, f"{path} does not fit its own sizes")


def untrained(cfg: DictConfig, own: dict[str, Tensor]) -> dict[str, Any]:
    """What ``fairseq-train`` would have saved of it before its first step."""
    settled: Any = OmegaConf.to_container(cfg, resolve=True, enum_to_str=True)
    return new_checkpoint(settled, own)
