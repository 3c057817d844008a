"""Numbers that cannot be, in the configuration of a model, a task or a run."""

from argparse import Namespace

import pytest

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.flags import sizes


@pytest.mark.parametrize("value", [0, -1, float("nan")])
@pytest.mark.parametrize(
    "name", ["encoder_layers", "decoder_attention_heads", "decoder_embed_dim", "max_positions"]
)
def test_less_than_one(name, value):
    flag = "--" + name.replace("_", "-")
    with pytest.raises(MemtxError, match=f"{flag} {value} is too small: use 1 or more"):
        sizes.check_model(Namespace(**{name: value}))


@pytest.mark.parametrize("value", [-0.1, 1.0, 2, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["dropout", "attention_dropout", "decoder_layerdrop"])
def test_dropout(name, value):
    with pytest.raises(MemtxError, match=f"{value} is out of range: use 0 or more, and below 1"):
        sizes.check_model(Namespace(**{name: value}))
    sizes.check_model(Namespace(**{name: 0.9}))


def test_segments_of_no_length():
    with pytest.raises(MemtxError, match="--tokens-per-sample is missing"):
        sizes.check_model(Namespace(tokens_per_sample=None))


def test_sizes_of_any_task():
    with pytest.raises(MemtxError, match="--tokens-per-sample -1 is too small"):
        sizes.check_task(Namespace(tokens_per_sample=-1), {})
    with pytest.raises(MemtxError, match="--num-classes 1000000000000 is too big"):
        sizes.check_task(Namespace(num_classes=10**12), {})


def test_heads_that_do_not_divide():
    with pytest.raises(MemtxError, match="--decoder-embed-dim 10 cannot be divided among"):
        sizes.check_model(Namespace(decoder_embed_dim=10, decoder_attention_heads=3))
    with pytest.raises(MemtxError, match="--encoder-embed-dim 10 cannot be divided among"):
        sizes.check_model(Namespace(encoder_embed_dim=10, encoder_attention_heads=4))


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"share_all_embeddings": True, "decoder_output_dim": 8}, "--decoder-output-dim 8 is not"),
        ({"quant_noise_pq": 0.1, "quant_noise_pq_block_size": 3}, "is no multiple of --quant"),
        ({"adaptive_softmax_cutoff": "5,9", "adaptive_softmax_factor": 5.0}, "none of 16 channels"),
        ({"adaptive_softmax_cutoff": [5], "adaptive_softmax_factor": 0.5}, "none of 16 channels"),
    ],
)
def test_widths_that_do_not_go_together(flags, says):
    with pytest.raises(MemtxError, match=says):
        sizes.check_model(Namespace(decoder_embed_dim=16, **flags))


def test_all_that_is_possible_passes():
    sizes.check_model(Namespace())
    sizes.check_model(Namespace(dropout=0.0, encoder_layers=1, decoder_embed_dim="8"))
    sizes.check_run(Namespace(dataset=Namespace(batch_size=1, max_tokens=None, num_workers=0)))


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("dataset", "batch_size", -1),
        ("dataset", "max_tokens", 0),
        ("dataset", "num_workers", -1),
        ("dataset", "required_batch_size_multiple", 0),
        ("optimization", "update_freq", [1, 0]),
        ("optimization", "lr", [-1.0]),
        ("common", "log_interval", 0),
        ("checkpoint", "save_interval", 0),
        ("generation", "beam", 0),
        ("generation", "temperature", 0.0),
        ("eval_lm", "context_window", -1),
        ("lr_scheduler", "warmup_updates", -1),
        ("optimizer", "weight_decay", -0.1),
    ],
)
def test_the_run(group, name, value):
    flag = "--" + name.replace("_", "-")
    with pytest.raises(MemtxError, match=f"{flag} .* is too small"):
        sizes.check_run(Namespace(**{group: Namespace(**{name: value})}))


def test_inverse_sqrt_needs_a_warmup():
    scheduler = Namespace(_name="inverse_sqrt", warmup_updates=0)
    with pytest.raises(MemtxError, match="--warmup-updates 0 is too small: use 1"):
        sizes.check_run(Namespace(lr_scheduler=scheduler))
    sizes.check_run(Namespace(lr_scheduler=Namespace(_name="fixed", warmup_updates=0)))


@pytest.mark.parametrize("number", [2**31 + 1, "1" + 400 * "0", 10**400, float("inf"), "1e400"])
def test_sizes_that_are_too_big(number):
    with pytest.raises(MemtxError, match=r"--encoder-layers .* is too big: use 2147483648 or less"):
        sizes.check_model(Namespace(encoder_layers=number))
    sizes.check_run(Namespace(eval_lm=Namespace(softmax_batch=2**63 - 1)))


@pytest.mark.parametrize("chances", [(0, 0.1, 0.1), (1, 0, 0), (0.2, 0.6, 0.6), (0.2, -0.1, 0.1)])
def test_chances_of_masking(chances):
    names = ("mask_prob", "leave_unmasked_prob", "random_token_prob")
    with pytest.raises(MemtxError, match=r"--mask-prob .* make no sense"):
        sizes.check_task(Namespace(**dict(zip(names, chances))), {})
    sizes.check_task(Namespace(**dict(zip(names, (0.15, 0.1, 0.1)))), {})
