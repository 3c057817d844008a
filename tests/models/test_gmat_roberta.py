"""GMAT: equality with RoBERTa and dense attention, who reaches whom, compression, segments."""

from argparse import Namespace
from itertools import product

import pytest
import torch
from conftest import batch, toy_task, words
from fairseq.models import ARCH_CONFIG_REGISTRY
from fairseq.models.roberta import RobertaModel
from fairseq.modules import FairseqDropout
from torch.nn.attention.flex_attention import flex_attention
from torch.utils.flop_counter import FlopCounterMode

from fairseq_memtx.memory import FlexibleMemoryAttention
from fairseq_memtx.models.gmat_roberta import GmatRobertaModel
from fairseq_memtx.modules.quicken import QuickDropout

SMALL = {
    "encoder_embed_dim": 16,
    "encoder_ffn_embed_dim": 32,
    "encoder_attention_heads": 2,
    "chunk_size": 4,
    "window_size": 4,
    "lsh_buckets": 4,
    "memory_tokens": 3,
    "max_positions": 40,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}
COMPRESSED = {"encoder_layers": 4, "compress_layers": 1, "memory_layers": 2, "decompress_layers": 1}
SCHEMES = ["chunked", "window", "lsh", "none"]


def arguments(arch: str, flags: dict) -> Namespace:
    args = Namespace(**{**SMALL, **flags})
    ARCH_CONFIG_REGISTRY[arch](args)
    return args


def build(seed: int = 1, dictionary=None, **flags) -> GmatRobertaModel:
    """A small model in float64, in evaluation mode."""
    torch.manual_seed(seed)
    args = arguments("gmat_roberta_tiny", flags)
    return GmatRobertaModel.build_model(args, toy_task(dictionary)).double().eval()


def build_roberta(seed: int = 1, **flags) -> RobertaModel:
    torch.manual_seed(seed)
    args = arguments("roberta", {"encoder_layers": 2, **flags})
    return RobertaModel.build_model(args, toy_task()).double().eval()


def tokens(*lengths: int) -> torch.Tensor:
    rows = batch(*lengths, left=False)
    rows[:, 0] = words().bos()
    return rows


def reach(model: GmatRobertaModel, length: int) -> torch.Tensor:
    """Whether output ``i`` depends on token ``j``, ``L x L``."""
    source = tokens(length)
    embedded = model.encoder.sentence_encoder.embed_tokens(source).detach().requires_grad_()
    features = model.encoder.extract_features(source, token_embeddings=embedded)[0]
    weight = torch.randn(features.size(-1), dtype=features.dtype)
    rows = [
        torch.autograd.grad((features[0, i] * weight).sum(), embedded, retain_graph=True)[0][0]
        for i in range(length)
    ]
    return torch.stack(rows).abs().sum(-1) > 0


def test_without_memory_and_sparseness_it_is_roberta():
    ours, theirs = build(memory_tokens=0, sparse_attention="none"), build_roberta()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    source = tokens(11, 7)
    torch.testing.assert_close(ours(source)[0], theirs(source)[0], rtol=0, atol=0)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_neighbourhood_of_everything_is_roberta(scheme):
    """Sparse layers at their widest, without memory, against fairseq's dense ones."""
    wide = {"chunk_size": 64, "window_size": 64, "sparse_attention": scheme}
    ours, theirs = build(memory_tokens=1, **wide), build_roberta()
    # One memory token that nobody can see.
    encoder = ours.encoder.sentence_encoder
    encoder.memory_tokens = 0
    for layer in encoder.layers:
        layer.self_attn.memory_tokens = 0
    state = {k: v for k, v in theirs.state_dict().items()}
    ours.load_state_dict(state)
    source = tokens(11, 7)
    real = source.ne(words().pad())
    torch.testing.assert_close(ours(source)[0][real], theirs(source)[0][real], rtol=0, atol=1e-12)


@pytest.mark.parametrize("flags", [{}, {"encoder_normalize_before": True}])
def test_a_chunk_of_everything_is_dense(flags):
    flags["activation_fn"] = "relu"
    chunked, dense = (
        build(**flags, **more) for more in ({"chunk_size": 40}, {"sparse_attention": "none"})
    )
    source = tokens(15, 9)
    torch.testing.assert_close(chunked(source)[0], dense(source)[0], rtol=0, atol=1e-12)
    assert not torch.allclose(build(**flags)(source)[0], dense(source)[0])


@pytest.mark.parametrize(
    ("scheme", "flags"),
    [
        *product(["chunked", "window", "none"], [{}, COMPRESSED, {"segments": 2}]),
        *product(["chunked", "window"], [{"memory_tokens": 0}]),
    ],
)
def test_flex_attention_changes_nothing(scheme, flags, monkeypatch):
    """As on a GPU, but spelled out in place of compiled; and on a CPU, where it is not used."""
    source = tokens(30, 9)
    real = source.ne(words().pad())
    groups, flexible = (
        build(sparse_attention=scheme, attention_kernel=kernel, **flags)
        for kernel in ("groups", "flex")
    )
    wanted = groups(source)[0][real]
    assert any(isinstance(part, FlexibleMemoryAttention) for part in flexible.modules())
    assert torch.equal(flexible(source)[0][real], wanted)
    monkeypatch.setattr(
        FlexibleMemoryAttention, "forward",
        lambda self, *qkv_real_dropout: self.by_rule(*qkv_real_dropout[:4], flex_attention),
    )  # fmt: skip
    with torch.no_grad():
        torch.testing.assert_close(flexible(source)[0][real], wanted, rtol=0, atol=1e-12)


def test_memory_lets_every_token_see_every_other():
    blocks = torch.block_diag(*[torch.ones(4, 4)] * 2).bool()
    for layers in (1, 2, 3):
        assert torch.equal(reach(build(memory_tokens=0, encoder_layers=layers), 8), blocks)
    assert torch.equal(reach(build(memory_tokens=1, encoder_layers=1), 8), blocks)
    assert reach(build(memory_tokens=1, encoder_layers=2), 8).all()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("flags", [{}, COMPRESSED, {"separate_memory_projections": True}])
def test_padding_changes_nothing(scheme, flags):
    model = build(sparse_attention=scheme, **flags)
    short = tokens(9)
    longer = torch.nn.functional.pad(short, (0, 8), value=words().pad())
    before, after = (model(x, return_all_hiddens=True) for x in (short, longer))
    torch.testing.assert_close(after[0][:, :9], before[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(
        model.extract_memory(longer), model.extract_memory(short), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("memory_tokens", [0, 3])
def test_padding_spoils_no_gradient(precision, scheme, memory_tokens):
    """Not even a chunk of nothing but padding, without memory, in half precision."""
    flags = {"dropout": 0.1, "attention_dropout": 0.1, "sparse_attention": scheme}
    model = build(memory_tokens=memory_tokens, **flags).to(precision).train()
    logits = model(tokens(20, 9))[0]
    logits[tokens(20, 9).ne(words().pad())].float().square().sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("memory_tokens", [0, 1, 5])
def test_what_fairseq_sees_is_tokens(memory_tokens):
    model = build(memory_tokens=memory_tokens)
    source = tokens(11, 7)
    features, extra = model(source, features_only=True, return_all_hiddens=True)
    assert features.shape == (2, 11, 16)
    assert [tuple(state.shape) for state in extra["inner_states"]] == [(11, 2, 16)] * 3
    masked = torch.zeros_like(source, dtype=torch.bool)
    masked[0, 3] = masked[1, 2] = True
    logits = model(source, masked_tokens=masked)[0]
    torch.testing.assert_close(logits, model(source)[0][masked])
    model.register_classification_head("sentence", num_classes=4)
    model.register_token_head("tags", 5)
    model.double()
    assert model(source, classification_head_name="sentence")[0].shape == (2, 4)
    assert model(source, token_head_name="tags")[0].shape == (2, 11, 5)


def test_parameters_that_memory_adds():
    count = lambda **flags: sum(p.numel() for p in build(**flags).parameters())  # noqa: E731
    assert count(memory_tokens=7) - count(memory_tokens=0) == 7 * 16
    assert count(separate_memory_projections=True) - count() == 2 * 4 * (16 * 16 + 16)


def test_memory_vectors_begin_as_different_ones_of_robertas_scale():
    weight = build(memory_tokens=64, encoder_embed_dim=64).encoder.sentence_encoder.memory.weight
    assert 0.018 < weight.std() < 0.022
    assert torch.unique(weight, dim=0).size(0) == 64


@pytest.mark.parametrize("flags", [{}, COMPRESSED, {"memory_tokens": 0}])
def test_recomputed_activations_change_nothing(flags):
    gradients = []
    for checkpoint in (False, True):
        model = build(checkpoint_activations=checkpoint, **flags).train()
        model(tokens(11, 7))[0].sum().backward()
        gradients.append([p.grad for p in model.parameters()])
    for plain, recomputed in zip(*gradients):
        torch.testing.assert_close(plain, recomputed, rtol=0, atol=1e-12)


def test_attention_dropout_is_for_training():
    model, source = build(attention_dropout=0.5), tokens(8)
    assert torch.equal(model(source)[0], model(source)[0])
    model.train()
    attention = model.encoder.sentence_encoder.layers[0].self_attn
    rows = torch.randn(3 + 8, 1, 16, dtype=torch.float64)
    outputs = [attention(rows, rows, rows)[0] for _ in range(2)]
    assert (outputs[0] != outputs[1]).any(dim=-1).all(), "of memory rows and of tokens"


def test_every_dropout_of_the_encoder_is_the_quick_one():
    """In training, or where it is retained, and with the rates of the flags."""
    flags = {"dropout": 0.25, "attention_dropout": 0.5, "activation_dropout": 0.75}
    encoder = build(
        encoder_layers=3, compress_layers=1, memory_layers=1, decompress_layers=1, **flags
    )
    encoder = encoder.encoder.sentence_encoder
    dropouts = [module for module in encoder.modules() if isinstance(module, FairseqDropout)]
    assert {type(module) for module in dropouts} == {QuickDropout}
    assert sorted(module.p for module in dropouts) == [0.25] * 4 + [0.5] * 3 + [0.75] * 3
    ones = torch.ones(1000)
    for module in (encoder.dropout_module, encoder.layers[0].dropout_module):
        assert torch.equal(module(ones), ones)
        module.train()
        assert 150 < module(ones).eq(0).sum() < 350
        module.eval().make_generation_fast_("", retain_dropout=True)
        assert 150 < module(ones).eq(0).sum() < 350


def test_separate_projections_are_used_for_memory_rows():
    model, source = build(separate_memory_projections=True), tokens(8)
    before = model.extract_memory(source)
    attention = model.encoder.sentence_encoder.layers[0].self_attn
    for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
        kept = attention.memory_projections[name].weight.data.clone()
        attention.memory_projections[name].weight.data *= 3
        assert not torch.allclose(before, model.extract_memory(source)), name
        attention.memory_projections[name].weight.data = kept


class TestCompression:
    def test_decompressing_reads_memory_alone(self):
        """A token's output depends on the others only through memory: with it fixed, on itself."""
        model = build(**COMPRESSED)
        decompress = model.encoder.sentence_encoder.layers[3]
        x = torch.randn(3 + 8, 1, 16, dtype=torch.float64)
        changed = x.clone()
        changed[5] += 1
        differs = (decompress(x, None) - decompress(changed, None)).abs().sum(-1) > 0
        assert differs.nonzero()[:, 0].tolist() == [5]
        changed = x.clone()
        changed[0] += 1
        assert (decompress(x, None) - decompress(changed, None))[3:].abs().sum(-1).all()

    def test_memory_is_what_goes_between(self):
        model = build(**COMPRESSED)
        assert model.extract_memory(tokens(30)).shape == (1, 3, 16)
        assert reach(model, 12).all()

    def test_the_middle_costs_nothing_in_length(self):
        def flops(length: int, **counts: int) -> int:
            model = build(**counts)
            with FlopCounterMode(display=False) as counter:
                model(tokens(length), features_only=True)
            return counter.get_total_flops()

        def middle(length: int) -> int:
            more = {**COMPRESSED, "encoder_layers": 6, "memory_layers": 4}
            return flops(length, **more) - flops(length, **COMPRESSED)

        assert middle(36) == middle(8) > 0


class TestSegments:
    def test_each_segment_is_read_with_the_memory_before_it(self):
        model = build(segments=3, max_positions=31)
        encoder, source = model.encoder.sentence_encoder, tokens(31)
        features = model(source, features_only=True)[0]
        memory = None
        for start in (1, 11, 21):
            segment = torch.cat([source[:, :1], source[:, start : start + 10]], dim=1)
            out = encoder.read(segment, memory=memory)
            torch.testing.assert_close(
                features[:, start : start + 10], out["encoder_out"][0].transpose(0, 1)[:, 1:]
            )
            memory = out["memory"][0].transpose(0, 1)
        torch.testing.assert_close(features[:, 0], out["encoder_out"][0][0])
        torch.testing.assert_close(model.extract_memory(source), memory)

    def test_the_head_hears_of_the_first_segment_and_gradient_goes_back(self):
        model = build(segments=3, max_positions=31)
        assert reach(model, 31)[0].all()

    def test_position_table_is_that_of_a_segment(self):
        model = build(segments=4, max_positions=509)
        assert len(model.encoder.sentence_encoder.embed_positions.weight) == 128 + 2
        assert model.max_positions() == 509

    @pytest.mark.parametrize("length", [1, 5, 11, 12, 31])
    def test_a_short_document_is_not_disturbed_by_a_long_one(self, length):
        model = build(segments=3, max_positions=31)
        together = tokens(31, length)
        alone = together[1:, :length]
        features = model(together, features_only=True)[0][1:, :length]
        torch.testing.assert_close(
            features, model(alone, features_only=True)[0], rtol=0, atol=1e-12
        )
        torch.testing.assert_close(
            model.extract_memory(together)[1:], model.extract_memory(alone), rtol=0, atol=1e-12
        )

    def test_all_hidden_states(self):
        model = build(segments=3, max_positions=31)
        features, extra = model(tokens(25), features_only=True, return_all_hiddens=True)
        assert [tuple(state.shape) for state in extra["inner_states"]] == [(25, 1, 16)] * 3
        torch.testing.assert_close(extra["inner_states"][-1].transpose(0, 1), features)


def test_weights_never_reach_the_sparse_scheme_by_fairseqs_own_attention(monkeypatch):
    """Fairseq's sparse attention was silently dense; ours is really called, in every layer."""
    model, calls = build(encoder_layers=3), []
    for layer in model.encoder.sentence_encoder.layers:
        forward = layer.self_attn.attend.neighbours.forward
        monkeypatch.setattr(
            layer.self_attn.attend.neighbours,
            "forward",
            lambda *args, _forward=forward, **kwargs: calls.append(1) or _forward(*args, **kwargs),
        )
    model(tokens(9))
    assert len(calls) == 3
