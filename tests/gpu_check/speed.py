"""Speed and memory of models of ordinary sizes, for the GPU check."""

import time
from functools import partial
from typing import Any, Callable

import torch
from benchmarks.language_model import LanguageModel
from benchmarks.long_document_models import DENSE, OURS, Sizes, build
from benchmarks.peak_memory import Peak
from benchmarks.translation import SIZES
from benchmarks.turns import System, next_tokens
from fairseq import utils
from torch import Tensor, nn

from .in_process import prints_json

DTYPES = {"float32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
Made = tuple[nn.Module, Callable[[], Tensor], int]  # model, its loss, tokens of a batch


@prints_json
def speed(device: str, _data: str, name: str, seconds: str, size: str) -> dict[str, Any]:
    """Tokens a second and peak of memory of a model's training steps.

    Forward, backward and Adam; weights are of the precision; ``size`` is "tiny" or "whole".
    """
    problems: list[str] = []
    found: dict[str, Any] = {"problems": problems}
    for precision, dtype in DTYPES.items():
        if device == "cpu" and precision == "fp16":
            continue
        try:
            made = MODELS[name](device, dtype, size == "tiny")
            found[precision] = measured(*made, device, float(seconds))
        except Exception as error:
            problems.append(f"{precision}: {type(error).__name__}: {error}")
    return found


def measured(
    model: nn.Module, loss: Callable[[], Tensor], tokens: int, device: str, seconds: float
) -> dict[str, float]:
    """Tokens a second of whole training steps, after two that warm up."""
    half = next(model.parameters()).dtype is torch.float16
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5, eps=1e-4 if half else 1e-8)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        if device != "cpu":
            torch.cuda.synchronize()

    with Peak(device) as peak:
        step()
        step()
    steps, start = 0, time.perf_counter()
    while steps < 2 or time.perf_counter() - start < seconds:
        step()
        steps += 1
    taken = time.perf_counter() - start
    return {
        "tokens_per_second": round(steps * tokens / taken),
        "milliseconds": round(1000 * taken / steps, 2),
        "peak_mib": round(peak.mebibytes),
    }


def translation(arch: str, device: str, dtype: torch.dtype, tiny: bool) -> Made:
    """A batch of 160 sentences of 25 tokens; 8,000 symbols."""
    sentences, length, symbols = (4, 5, 60) if tiny else (160, 25, 8000)
    flags = f"--arch {arch} -s a -t b --criterion label_smoothed_cross_entropy"
    flags += " --label-smoothing 0.1" if "mem" in arch else f" {SIZES}"
    system = System("translation", symbols, flags)
    words = torch.randint(4, symbols, (sentences, length + 1), generator=_numbers())
    batch = next_tokens(words)
    batch["net_input"].update(src_tokens=words[:, 1:], prev_output_tokens=words[:, :-1])
    return _placed(system, batch, device, dtype)


def language_model(flags: str, device: str, dtype: torch.dtype, tiny: bool) -> Made:
    """64 streams and segments of 128 bytes: enwik8's sizes."""
    streams, length = (2, 8) if tiny else (64, 128)
    flags = f"{flags} --tokens-per-sample {length}"
    flags += " --max-target-positions 128" if "transformer_lm" in flags else ""
    system = LanguageModel(208, f"{flags} --decoder-layers 1" if tiny else flags)
    words = torch.randint(4, 208, (streams, length + 1), generator=_numbers())
    return _placed(system, next_tokens(words), device, dtype)


def _placed(system: System, batch: dict[str, Any], device: str, dtype: torch.dtype) -> Made:
    model = system.model.to(device, dtype).train()
    if device != "cpu":
        batch = utils.move_to_cuda(batch)
    return model, lambda: system.loss(batch), batch["ntokens"]


def long_documents(name: str, device: str, dtype: torch.dtype, tiny: bool) -> Made:
    """Two documents of 4,096 tokens, through the encoder of RoBERTa base."""
    sizes = Sizes(
        layers=1 if tiny else 12, channels=768, ffn_channels=3072, heads=12, vocabulary=50265
    )
    length = 128 if tiny else 4096
    model = build(name, sizes, length, 0.1).to(device, dtype).train()
    words = torch.randint(4, sizes.vocabulary, (2, length), generator=_numbers()).to(device)
    return model, lambda: model(words).float().square().mean(), words.numel()


def _numbers() -> torch.Generator:
    return torch.Generator().manual_seed(1)


ENWIK8 = "--decoder-layers 12 --decoder-embed-dim 512 --decoder-ffn-embed-dim 2048"
MODELS = {
    "mem_transformer_multi30k": partial(translation, "mem_transformer_multi30k"),
    "transformer of the same sizes": partial(translation, "transformer"),
    "rmt_lm_enwik8": partial(language_model, "--arch rmt_lm_enwik8"),
    "rmt_transformer_xl_enwik8": partial(language_model, "--arch rmt_transformer_xl_enwik8"),
    "rmt_lm_enwik8, transformer": partial(
        language_model, "--arch rmt_lm_enwik8 --backbone transformer"
    ),
    "transformer_lm of the same sizes": partial(
        language_model,
        f"--arch transformer_lm {ENWIK8} --decoder-attention-heads 8 "
        "--share-decoder-input-output-embed --dropout 0.1",
    ),
    "gmat_roberta_base, 4,096 tokens": partial(long_documents, OURS),
    "roberta, 4,096 tokens": partial(long_documents, DENSE),
}
