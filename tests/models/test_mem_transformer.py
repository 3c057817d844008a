"""The encoder, the decoder and what passes between them."""

from argparse import Namespace

import pytest
import torch
from conftest import SMALL, VARIANTS, batch, build, toy_task, words
from fairseq.models import ARCH_CONFIG_REGISTRY
from fairseq.models.transformer import (
    TransformerModel,
    transformer_decoder,
    transformer_encoder,
)
from fairseq.modules import transformer_layer
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.models.mem_transformer import MemoryTransformerModel

M = 3
PAD, EOS = words().pad(), words().eos()


def decode(model, encoder_out, previous):
    return model.decoder(previous, encoder_out=encoder_out)[0]


def stock(seed: int = 1, **flags) -> TransformerModel:
    torch.manual_seed(seed)
    args = Namespace(**{**SMALL, "dropout": 0.0, **flags})
    ARCH_CONFIG_REGISTRY["transformer"](args)
    return TransformerModel.build_model(args, toy_task()).double().eval()


# --- memory in the encoder's output ------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_encoder_returns_memory_and_source(variant):
    out = build(variant).encoder(batch(5, 3))
    assert out["encoder_out"][0].shape == (M + 5, 2, 16)
    mask = out["encoder_padding_mask"][0]
    assert mask.shape == (2, M + 5)
    assert not mask[:, :M].any()
    assert mask[1].tolist() == [False] * M + [True, True, False, False, False]
    assert out["src_lengths"][0].flatten().tolist() == [5, 3]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("rows", [slice(0, M), slice(M, None)], ids=["memory", "source"])
def test_decoder_sees_memory_and_source(variant, rows):
    model, source = build(variant), batch(5)
    encoder_out = model.encoder(source)
    before = decode(model, encoder_out, source)
    encoder_out["encoder_out"][0][rows] += 1.0
    assert not torch.allclose(before, decode(model, encoder_out, source))


def test_memory_vectors_differ_at_the_start():
    weight = build(memory_tokens=10).encoder.memory.weight
    distances = torch.cdist(weight, weight) + torch.eye(10) * 9
    assert distances.min() > 0.3
    # The scale of a word embedding, which is what a memory token stands in for.
    many = build(memory_tokens=500).encoder.memory.weight
    assert many.std().item() == pytest.approx(16**-0.5, rel=0.05)


def test_memory_has_no_position():
    """Swapping two memory vectors swaps their outputs and changes nothing else."""
    model, source = build(), batch(5, 4)
    before = model.encoder(source)["encoder_out"][0]
    with torch.no_grad():
        model.encoder.memory.weight[[0, 1]] = model.encoder.memory.weight[[1, 0]]
    after = model.encoder(source)["encoder_out"][0]
    torch.testing.assert_close(after[[1, 0]], before[[0, 1]])
    torch.testing.assert_close(after[2:], before[2:])


def test_source_keeps_its_positions():
    """What enters the first layer at source positions is what fairseq's encoder puts there."""
    model, source = build(), batch(5, 3)
    plain = stock()
    plain.encoder.embed_tokens.load_state_dict(model.encoder.embed_tokens.state_dict())
    ours = model.encoder(source, return_all_hiddens=True)["encoder_states"][0]
    theirs = plain.encoder(source, return_all_hiddens=True)["encoder_states"][0]
    torch.testing.assert_close(ours[M:], theirs)


def test_given_embeddings_are_used():
    model, source = build(), batch(5, 3)
    embeddings = model.encoder.embed_tokens(source)
    torch.testing.assert_close(
        model.encoder(source, token_embeddings=embeddings)["encoder_out"],
        model.encoder(source)["encoder_out"],
    )


# --- padding -----------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
@settings(max_examples=12, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    more=st.integers(0, 4),
    left=st.booleans(),
    normalize_before=st.booleans(),
)
def test_padding_changes_nothing(variant, lengths, more, left, normalize_before):
    """Every sentence of a padded batch comes out as it does alone, memory included."""
    model = build(
        variant,
        encoder_normalize_before=normalize_before,
        decoder_normalize_before=normalize_before,
    )
    source = batch(*lengths, left=left)
    padding = torch.full((len(lengths), more), PAD)
    source = torch.cat([padding, source] if left else [source, padding], dim=1)
    previous = batch(4, seed=5).expand(len(lengths), -1)
    together = model.encoder(source)
    words_together = decode(model, together, previous)
    for row, length in enumerate(lengths):
        alone = model.encoder(source[row][source[row] != PAD].unsqueeze(0))
        begin = M + (source.size(1) - length if left else 0)
        encoded = together["encoder_out"][0][:, row]
        encoded = torch.cat([encoded[:M], encoded[begin : begin + length]])
        torch.testing.assert_close(encoded, alone["encoder_out"][0][:, 0])
        # fairseq's cross-attention takes its softmax in float32, whatever the model's type.
        torch.testing.assert_close(
            words_together[row], decode(model, alone, previous[:1])[0], rtol=1e-4, atol=1e-5
        )


# --- fairseq's own transformer -----------------------------------------------------------------


def test_no_memory_is_fairseq_transformer():
    ours, theirs = build(memory_tokens=0, seed=1), stock(seed=2)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    source, previous = batch(6, 3, 4), batch(5, 5, 2, left=False, seed=3)
    for mode in (True, False):
        expected, extra = theirs.train(mode)(source, None, previous)
        actual, ours_extra = ours.train(mode)(source, None, previous)
        assert torch.equal(expected, actual)
        assert torch.equal(extra["attn"][0], ours_extra["attn"][0])


def test_tokens_layer_is_fairseq_layer_on_the_augmented_sequence():
    """MemTransformer: fairseq's layers over [mem; seq], no more and no less."""
    model, plain, source = build(), stock(), batch(5, 3)
    common = {k: v for k, v in model.state_dict().items() if "memory" not in k}
    plain.load_state_dict(common)
    states = model.encoder(source, return_all_hiddens=True)["encoder_states"]
    mask = torch.cat([torch.zeros(2, M, dtype=torch.bool), source.eq(PAD)], dim=1)
    x = states[0]
    for index, layer in enumerate(plain.encoder.layers):
        x = layer(x, encoder_padding_mask=mask)
        assert torch.equal(x, states[index + 1])


# --- parameter counts (oracle 4 of the reference) ----------------------------------------------

LAYER = 3_152_384  # 1,050,624 attention + 2,099,712 feed-forward + 2,048 layer norms


@pytest.mark.parametrize(
    ("arch", "memory"),
    [
        ("mem_transformer_wmt", 0),
        ("mem_ctrl_transformer_wmt", 18_914_304),
        ("mem_ctrl_shared_transformer_wmt", LAYER),
        ("mem_bottleneck_transformer_wmt", 18_914_304),
        ("mem_bottleneck_skip_transformer_wmt", 18_914_304),
    ],
)
def test_parameter_counts_of_the_base_sizes(arch, memory):
    args = Namespace(no_token_positional_embeddings=True)
    ARCH_CONFIG_REGISTRY[arch](args)
    assert args.memory_tokens == 20
    model = MemoryTransformerModel.build_model(args, toy_task())
    encoder = {id(p): p.numel() for p in model.encoder.parameters()}
    words_ = model.encoder.embed_tokens.weight.numel()
    assert sum(encoder.values()) - words_ == 6 * LAYER + memory + 512 * args.memory_tokens


# --- decoder -----------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_step_by_step_equals_the_full_forward(variant):
    model, source, previous = build(variant), batch(6, 3, 4), batch(5, 5, 5, seed=3)
    encoder_out = model.encoder(source)
    full = decode(model, encoder_out, previous)
    state: dict = {}
    for step in range(previous.size(1)):
        out, _ = model.decoder(
            previous[:, : step + 1], encoder_out=encoder_out, incremental_state=state
        )
        torch.testing.assert_close(out[:, -1], full[:, step], rtol=1e-4, atol=1e-5)


def test_reordering_moves_memory_with_its_sentence():
    model, source = build(), batch(6, 3, 4)
    order = torch.tensor([2, 0, 0])
    reordered = model.encoder.reorder_encoder_out(model.encoder(source), order)
    fresh = model.encoder(source[order])
    for key in ("encoder_out", "encoder_padding_mask", "src_lengths", "encoder_embedding"):
        torch.testing.assert_close(reordered[key][0], fresh[key][0])


def test_swapping_beams_of_a_sentence_copies_nothing():
    encoder = build().encoder
    out = encoder.reorder_encoder_out(encoder(batch(6, 3)), torch.tensor([0, 0, 1, 1]))
    assert encoder.reorder_encoder_out(out, torch.tensor([1, 1, 2, 3])) is out
    other = encoder.reorder_encoder_out(out, torch.tensor([2, 3, 0, 1]))
    assert torch.equal(other["encoder_out"][0][:, :2], out["encoder_out"][0][:, 2:])
    assert other["sentence"][0].tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    "order", [[1, 0, 3, 3, 4, 4], [1, 1, 5, 4]], ids=["within sentences", "one sentence finished"]
)
def test_beams_change_places(variant, order):
    """Two beams a sentence, reordered between two steps: caches and memory follow."""
    model, order = build(variant), torch.tensor(order)
    source = batch(6, 3, 4).repeat_interleave(2, dim=0)
    previous = batch(6, 6, 6, 6, 6, 6, seed=3)
    state, encoder_out = {}, model.encoder(source)
    for step in range(6):
        if step == 3:
            model.decoder.reorder_incremental_state_scripting(state, order)
            encoder_out = model.encoder.reorder_encoder_out(encoder_out, order)
            previous = previous[order]
        seen = previous[:, : step + 1]
        out, _ = model.decoder(seen, encoder_out=encoder_out, incremental_state=state)
    full = decode(model, model.encoder(source[order]), previous)
    torch.testing.assert_close(out[:, -1], full[:, -1], rtol=1e-4, atol=1e-5)


def test_attention_of_the_decoder_is_over_source_positions():
    model, source, previous = build(), batch(6, 3), batch(5, 5, seed=3)
    attention = model(source, None, previous)[1]["attn"][0]
    assert attention.shape == (2, 5, 6)
    assert attention[1, :, :3].eq(0).all(), "padding gets nothing"
    assert (attention.sum(-1) < 1).all(), "what memory got is left out, not handed round"
    # The same columns of what fairseq's decoder gets from the whole encoder output.
    plain = stock()
    plain.decoder.load_state_dict(model.decoder.state_dict())
    whole = plain.decoder(previous, encoder_out=model.encoder(source))[1]["attn"][0]
    torch.testing.assert_close(attention, whole[..., M:])


def test_attention_weights_are_not_computed_where_nobody_reads_them():
    model, source = build(), batch(6, 3)
    assert model.train()(source, None, source)[1]["attn"] == [None]
    assert model.eval()(source, None, source)[1]["attn"] != [None]
    step = model.decoder(source, encoder_out=model.encoder(source), incremental_state={})
    assert step[1]["attn"] == [None]
    asked = model.train()(source, None, source, alignment_layer=0)
    assert asked[1]["attn"][0].shape == (2, 6, 6)


# --- a decoder that reads memory alone ---------------------------------------------------------


def test_a_decoder_that_reads_memory_alone():
    """What fairseq's own decoder says, given the rows of memory and nothing else."""
    model = build(decoder_reads_memory_alone=True)
    source, previous = batch(6, 3), batch(5, 5, seed=3)
    plain = stock()
    plain.decoder.load_state_dict(model.decoder.state_dict())
    encoder_out = model.encoder(source)
    memory = {"encoder_out": [encoder_out["encoder_out"][0][:M]], "encoder_padding_mask": []}
    wanted = decode(plain, memory, previous)
    torch.testing.assert_close(decode(model, encoder_out, previous), wanted)
    # Step by step, with two beams that have changed places, which fairseq does in between.
    twice, order = torch.tensor([0, 0, 1, 1]), torch.tensor([1, 0, 3, 2])
    encoder_out = model.encoder.reorder_encoder_out(encoder_out, twice)
    encoder_out = model.encoder.reorder_encoder_out(encoder_out, order)
    state = {}
    for step in range(5):
        seen = previous[twice, : step + 1]
        out, extra = model.decoder(seen, encoder_out=encoder_out, incremental_state=state)
    torch.testing.assert_close(out[:, -1], wanted[twice, -1], rtol=1e-4, atol=1e-5)
    assert extra["attn"] == [None]


def test_its_alignments_are_over_the_source_and_zeros():
    model, source = build(decoder_reads_memory_alone=True), batch(6, 3)
    attention = model(source, None, batch(5, 5, seed=3))[1]["attn"][0]
    assert attention.shape == (2, 5, 6)
    assert attention.eq(0).all()


def test_without_memory_it_is_a_language_model():
    model, previous = build(memory_tokens=0, decoder_reads_memory_alone=True), batch(5, 5, seed=3)
    one, other = (model(batch(6, 3, seed=seed), None, previous) for seed in (2, 9))
    torch.testing.assert_close(one[0], other[0])
    assert one[1]["attn"] == [None]


def test_every_parameter_of_it_gets_a_gradient():
    model, source = build(decoder_reads_memory_alone=True).train(), batch(6, 3)
    model(source, None, source)[0].pow(2).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_a_configuration_that_is_older_than_the_flag():
    model, source = build(), batch(6, 3)
    del model.cfg.decoder.reads_memory_alone
    old = MemoryTransformerModel.build_decoder(
        model.cfg, words(), model.decoder.embed_tokens
    ).double()
    old.load_state_dict(model.decoder.state_dict())
    torch.testing.assert_close(
        old.eval()(source, model.encoder(source))[0], model(source, None, source)[0]
    )


# --- training options --------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_gets_a_gradient(variant):
    model, source = build(variant).train(), batch(6, 3)
    model(source, None, source)[0].pow(2).sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    assert without == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_activation_checkpointing_changes_no_gradient(variant):
    plain, saving = build(variant), build(variant, checkpoint_activations=True)
    saving.load_state_dict(plain.state_dict())
    assert "checkpoint" in str(saving.encoder.layers[0].forward), "the layers are wrapped"
    source = batch(6, 3)
    for model in (plain, saving):
        model.train()(source, None, source)[0].pow(2).sum().backward()
    expected = dict(plain.named_parameters())
    for name, parameter in saving.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name].grad)


@pytest.mark.parametrize("variant", VARIANTS)
def test_layer_drop(variant):
    model, source = build(variant, encoder_layerdrop=0.5, encoder_layers=6), batch(5, 3)
    model.train()
    lengths = {
        len(model.encoder(source, return_all_hiddens=True)["encoder_states"]) for _ in range(8)
    }
    assert len(lengths) > 1
    model.eval()
    assert len(model.encoder(source, return_all_hiddens=True)["encoder_states"]) == 7


def test_fused_layer_norm_takes_over_where_apex_is(monkeypatch):
    """Every norm is made by fairseq's factory, which is what chooses apex's kernel."""

    class Fused(torch.nn.LayerNorm):
        def __init__(self, size, export=False):
            super().__init__(size)

    for owner in (transformer_layer, transformer_encoder, transformer_decoder):
        monkeypatch.setattr(owner, "LayerNorm", Fused)
    model = build("shared-controller", encoder_normalize_before=True)
    norms = [module for module in model.modules() if isinstance(module, torch.nn.LayerNorm)]
    assert len(norms) == 2 * (2 + 3) + 2 + 1  # layers, shared controller, the encoder's last
    assert {type(norm) for norm in norms} == {Fused}


# --- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"variant": "tokns"}, r"--memory-variant tokns is unknown: use one of tokens, controller"),
        ({"memory_tokens": -1}, r"--memory-tokens -1 is out of range: use 0 to 1024"),
        ({"memory_tokens": 100_000}, r"--memory-tokens 100000 is out of range"),
        ({"memory_tokens": 0, "variant": "bottleneck"}, r"bottleneck needs memory"),
        ({"memory_tokens": 0, "variant": "bottleneck-skip"}, r"bottleneck-skip needs memory"),
        ({"memory_tokens": 0, "variant": "controller"}, r"controller needs memory"),
        (
            {"variant": "bottleneck", "decoder_reads_memory_alone": True},
            r"--decoder-reads-memory-alone and --memory-variant bottleneck do not go together",
        ),
    ],
)
def test_flags_that_make_no_sense(flags, says):
    with pytest.raises(MemtxError, match=says):
        build(**flags)


def test_source_longer_than_the_positions():
    model = build(max_source_positions=5)
    model.encoder(batch(5))
    with pytest.raises(MemtxError, match=r"a source of 6 tokens is longer .* 5"):
        model.encoder(batch(6))
