"""How fast the families train and translate, beside fairseq's own models of the same sizes."""

from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterator

import torch
from benchmarks.language_model import LanguageModel
from benchmarks.language_model import Sizes as PublishedSizes
from benchmarks.published_rmt import PublishedRmt
from benchmarks.translation import SIZES as SMALL
from benchmarks.translation import Translator
from benchmarks.turns import Learner, System, next_tokens
from fairseq import utils

from fairseq_memtx.modules.state_holder import StateHolder

from .in_process import prints_json
from .turns import Training, in_precision, side_by_side, table

ENWIK8 = "--decoder-layers 12 --decoder-attention-heads 8 --share-decoder-input-output-embed"
ENWIK8 += " --decoder-embed-dim 512 --decoder-ffn-embed-dim 2048 --dropout 0.1"
# The first is what the others are compared with.
LANGUAGE_MODELS = {
    "transformer_lm": f"--arch transformer_lm {ENWIK8} --max-target-positions 128",
    "rmt_lm, transformer": "--arch rmt_lm_enwik8 --backbone transformer --decoder-normalize-before",
    "rmt_lm, transformer-xl": "--arch rmt_lm_enwik8",
    "armt_lm, transformer": f"--arch armt_lm {ENWIK8} --backbone transformer "
    "--decoder-normalize-before",
    "armt_lm, transformer-xl": f"--arch armt_lm {ENWIK8}",
    "transformer-xl with a cache, M=10": "--arch rmt_transformer_xl_enwik8",
}
BASE = "--arch transformer_wmt_en_de --share-all-embeddings --dropout 0.1"
FUSED = "--criterion fused_label_smoothed_cross_entropy --label-smoothing 0.1"
PLAIN = "--criterion label_smoothed_cross_entropy --label-smoothing 0.1"
TRANSLATION = {
    "small": {
        "transformer": f"--arch transformer {SMALL} {PLAIN}",
        "mem_transformer, M=10": f"--arch mem_transformer_multi30k {FUSED}",
    },
    "base": {
        "transformer": f"{BASE} {PLAIN}",
        "mem_transformer, M=20": f"--arch mem_transformer_wmt {FUSED}",
    },
}


@prints_json
def language_models(
    device: str, _data: str, seconds: str, size: str, precisions: str, published: str
) -> Iterator[dict[str, Any]]:
    """Training steps of 64 streams and segments of 128 bytes: enwik8's sizes."""
    streams, length = (2, 8) if size == "tiny" else (64, 128)
    flags = f"--tokens-per-sample {length}" + (" --decoder-layers 1" if size == "tiny" else "")
    models: dict[str, Learner] = {
        name: LanguageModel(208, f"{of} {flags}") for name, of in LANGUAGE_MODELS.items()
    }
    if published:
        sizes = PublishedSizes(
            layers=12, channels=512, ffn_channels=2048, heads=8, streams=streams, segment=length
        )
        models["published RMT"] = PublishedRmt(Path(published), sizes)
    words = torch.randint(4, 208, (streams, length + 1), generator=_numbers())
    batch = next_tokens(words)
    together = {name: (of, batch) for name, of in models.items()}
    yield from in_precisions(together, device, seconds, precisions)


@prints_json
def translation(
    device: str, _data: str, seconds: str, size: str, precisions: str, of: str
) -> Iterator[dict[str, Any]]:
    """Training steps of sentences of 25 tokens."""
    sentences, symbols = {"small": (160, 8000), "base": (320, 32000)}[of]
    if size == "tiny":
        sentences, symbols = 4, 60
    words = torch.randint(4, symbols, (sentences, 26), generator=_numbers())
    batch = next_tokens(words)
    batch["net_input"].update(src_tokens=words[:, 1:], prev_output_tokens=words[:, :-1])
    models = {
        name: (System("translation", symbols, f"-s a -t b {flags}"), batch)
        for name, flags in TRANSLATION[of].items()
    }
    yield from in_precisions(models, device, seconds, precisions)


def in_precisions(
    models: dict[str, tuple[Learner, dict[str, Any]]], device: str, seconds: str, precisions: str
) -> Iterator[dict[str, Any]]:
    """Training steps of models, each with its batch, in one precision after the other."""
    found: dict[str, Any] = {"table": []}
    for precision in precisions.split(","):
        works = {name: _training(*of, device, precision) for name, of in models.items()}
        lines = found["table"]
        for rows in side_by_side(works, device, float(seconds)):
            found |= {precision: rows, "table": lines + table(f"training, {precision}", rows)}
            yield found


def _training(
    model: Learner, batch: dict[str, Any], device: str, precision: str
) -> Callable[[], int]:
    module = model.model.to(device)
    if isinstance(model, LanguageModel) and model.inputs:
        model.inputs = {"holder": StateHolder()}  # that of another precision is of another type
    if isinstance(model, PublishedRmt):
        model.memory = (
            in_precision(module, precision).mem_tokens.detach().repeat(1, batch["nsentences"], 1)
        )
    batch = _moved(batch, device)
    return Training(module, lambda: model.loss(batch), batch["ntokens"], precision)


@prints_json
def generation(
    device: str, _data: str, seconds: str, size: str, precisions: str
) -> Iterator[dict[str, Any]]:
    """Beam search, 5 beams, 128 sentences of 25 tokens, each written as long as its source."""
    sentences = 2 if size == "tiny" else 128
    words = torch.randint(4, 8000, (sentences, 25), generator=_numbers())
    batch = _moved(next_tokens(torch.cat([words, words[:, :1]], dim=1)), device)
    models = {name: Translator(flags) for name, flags in _TRANSLATORS.items()}
    found: dict[str, Any] = {"table": []}
    for precision in precisions.split(","):
        for model in models.values():
            in_precision(model.model.to(device), precision)
        works = {name: partial(_write, model, batch) for name, model in models.items()}
        lines = found["table"]
        for rows in side_by_side(works, device, float(seconds)):
            found |= {precision: rows, "table": lines + table(f"beam 5, {precision}", rows)}
            yield found


_TRANSLATORS = {
    "transformer": f"--arch transformer {PLAIN}",
    "mem_transformer, M=10": f"--arch mem_transformer --memory-tokens 10 {FUSED}",
}


def _write(model: Translator, batch: dict[str, Any]) -> int:
    model.generation(batch)
    return batch["ntokens"]


def _moved(batch: dict[str, Any], device: str) -> dict[str, Any]:
    return batch if device == "cpu" else utils.move_to_cuda(batch)


def _numbers() -> torch.Generator:
    return torch.Generator().manual_seed(1)
