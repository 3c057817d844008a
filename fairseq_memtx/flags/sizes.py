"""Numbers that cannot be: no layers, half a head, a batch of nothing, a dropout of two."""

import math
from typing import Any

from ..errors import MemtxError

MOST = 1 << 31  # tokens, channels, layers: more than any machine has
# Of a model's or a task's configuration: at least 1.
_COUNTS = """
    encoder_layers decoder_layers encoder_attention_heads decoder_attention_heads encoder_embed_dim
    decoder_embed_dim encoder_ffn_embed_dim decoder_ffn_embed_dim decoder_input_dim
    decoder_output_dim max_positions max_source_positions max_target_positions tokens_per_sample
    quant_noise_pq_block_size associative_channels
""".split()  # noqa: SIM905
# Likewise: a part, from 0 on and below 1.
_PARTS = """
    dropout attention_dropout activation_dropout relu_dropout pooler_dropout
    adaptive_softmax_dropout encoder_layerdrop decoder_layerdrop quant_noise_pq
""".split()  # noqa: SIM905
# Of the flags that all of fairseq's commands have in common: group, least, names.
_OF_THE_RUN = [
    ("dataset", 1, "batch_size batch_size_valid max_tokens max_tokens_valid num_shards"),
    ("dataset", 1, "required_batch_size_multiple validate_interval"),
    ("dataset", 0, "num_workers data_buffer_size shard_id validate_interval_updates"),
    ("optimization", 1, "update_freq"),
    ("optimization", 0, "max_epoch max_update lr clip_norm stop_time_hours"),
    ("common", 1, "log_interval"),
    ("checkpoint", 1, "save_interval"),
    ("checkpoint", 0, "save_interval_updates"),
    ("lr_scheduler", 0, "warmup_updates"),
    ("lr_scheduler", 1, "total_num_update"),
    ("optimizer", 0, "weight_decay adam_eps"),
    ("distributed_training", 1, "distributed_world_size"),
    ("generation", 1, "beam nbest"),
    ("generation", 0, "max_len_a max_len_b min_len no_repeat_ngram_size prefix_size"),
    ("eval_lm", 0, "context_window"),
    ("eval_lm", 1, "softmax_batch"),
]


def check_model(cfg: Any) -> None:
    """Refuse sizes of a model that cannot be: with the flag, its value and what is possible.

    What the configuration does not have is left to fairseq.
    """
    for name in _COUNTS:
        _at_least(name, _of(cfg, name), 1)
    if getattr(cfg, "tokens_per_sample", 1) is None:
        raise MemtxError("--tokens-per-sample is missing: say how many tokens are read at once")
    for name in _PARTS:
        value = _of(cfg, name)
        if value is not None and not 0 <= float(value) < 1:
            raise MemtxError(f"{_flag(name)} {value} is out of range: use 0 or more, and below 1")
    _check_shared_table(cfg)
    _check_clusters(cfg)
    block = _of(cfg, "quant_noise_pq_block_size")
    if _of(cfg, "quant_noise_pq"):
        for name in _COUNTS:
            if name.endswith("embed_dim") and (_of(cfg, name) or 0) % block:
                raise MemtxError(
                    f"{_flag(name)} {getattr(cfg, name)} is no multiple of "
                    f"--quant-noise-pq-block-size {block}, as --quant-noise-pq needs it"
                )
    for side in ("encoder", "decoder"):
        channels = _of(cfg, f"{side}_embed_dim")
        heads = _of(cfg, f"{side}_attention_heads")
        if channels and heads and channels % heads:
            raise MemtxError(
                f"--{side}-embed-dim {channels} cannot be divided among --{side}-attention-heads "
                f"{heads}: use a multiple"
            )


def _check_shared_table(cfg: Any) -> None:
    """One table of words for input and output has one width."""
    cutoff = _of(cfg, "adaptive_softmax_cutoff")
    tied = cutoff and _of(cfg, "backbone") == "transformer-xl"
    wanted = ("share_decoder_input_output_embed", "share_all_embeddings")
    width = _of(cfg, "decoder_input_dim") or _of(cfg, "decoder_embed_dim")
    output = _of(cfg, "decoder_output_dim") or width
    shared = tied or (not cutoff and any(getattr(cfg, name, False) for name in wanted))
    if shared and int(output) != int(width):
        raise MemtxError(
            f"--decoder-output-dim {output} is not the {width} channels of the words, whose table "
            "is that of the output too: leave it out"
        )


def _check_clusters(cfg: Any) -> None:
    """Clusters of rarer words are narrower, each by the factor."""
    if _of(cfg, "backbone") == "transformer-xl":
        return
    for side, end in (("input", "input"), ("output", "softmax")):
        cutoff = _of(cfg, f"adaptive_{end}_cutoff")
        width = _of(cfg, f"decoder_{side}_dim") or _of(cfg, "decoder_embed_dim")
        if not cutoff or not width:
            continue
        clusters = len(cutoff.split(",") if isinstance(cutoff, str) else cutoff)
        factor = _of(cfg, f"adaptive_{end}_factor") or 4
        if not 1 <= factor**clusters <= int(width):
            raise MemtxError(
                f"--adaptive-{end}-factor {factor} leaves the last of {clusters} clusters of rarer "
                f"words none of {width} channels: use 1 or more, or fewer cutoffs"
            )


def check_task(cfg: Any, least: dict[str, int]) -> None:
    """Look at the sizes of a task, ``least`` being the smallest of each of one of ours."""
    for name, number in (dict.fromkeys(_COUNTS, 1) | least).items():
        _at_least(name, _of(cfg, name), number)
    _at_least("num_classes", _of(cfg, "num_classes"), -1)  # fairseq's default, which it refuses
    chances = [_of(cfg, f"{name}_prob") for name in ("mask", "leave_unmasked", "random_token")]
    if None not in chances:
        _check_masking(*map(float, chances))


def _check_masking(mask: float, leave: float, random: float) -> None:
    """Of the tokens that ``masked_lm`` predicts, some stay and some become any."""
    if not (0 < mask < 1 and leave >= 0 and random >= 0 and leave + random <= 1):
        raise MemtxError(
            f"--mask-prob {mask}, --leave-unmasked-prob {leave} and --random-token-prob {random} "
            "make no sense: use more than 0 and less than 1 for the first, and parts of 1 for both "
            "others together"
        )


def check_run(run: Any) -> None:
    """Look at what all of fairseq's commands have in common."""
    for group, least, names in _OF_THE_RUN:
        part = _of(run, group)
        for name in names.split():
            value = _of(part, name)
            for number in [value] if _single(value) else value:
                _at_least(name, number, least, most=1 << 63)  # fairseq's own "no limit"
    scheduler = _of(run, "lr_scheduler")
    if _of(scheduler, "_name") == "inverse_sqrt":
        _at_least("warmup_updates", scheduler.warmup_updates, 1)  # the rate is divided by it
    temperature = _of(_of(run, "generation"), "temperature")
    if temperature is not None and not temperature > 0:
        raise MemtxError(f"--temperature {temperature} is too small: use more than 0")


def _of(cfg: Any, name: str) -> Any:
    return getattr(cfg, name, None)


def _at_least(name: str, value: Any, least: int, most: int = MOST) -> None:
    if value is None:
        return
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise MemtxError(f"{_flag(name)} {value} is no number") from None
    except OverflowError:
        number = math.inf
    if number > most:
        raise MemtxError(f"{_flag(name)} {str(value)[:40]} is too big: use {most} or less")
    if math.isnan(number) or number < least:
        raise MemtxError(f"{_flag(name)} {value} is too small: use {least} or more")


def _single(value: Any) -> bool:
    return value is None or isinstance(value, (int, float, str))


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
