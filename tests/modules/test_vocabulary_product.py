"""The product with the vocabulary, laid out once: the same numbers, and never with old weights."""

import pickle
from copy import deepcopy

import pytest
import torch
from conftest import VARIANTS, batch, build, words
from fairseq.sequence_generator import SequenceGenerator
from torch import nn
from torch.profiler import ProfilerActivity, profile

from fairseq_memtx.modules.vocabulary_product import LaidOutProduct

MANY = words(5000)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(64,), (1, 64), (3, 64), (80, 1, 64), (7, 5, 64)])
def test_product_is_that_of_float64(shape, bias):
    linear = nn.Linear(64, 2000, bias=bias)
    x = torch.randn(*shape)
    with torch.no_grad():
        found = LaidOutProduct(linear)(x)
        torch.testing.assert_close(found, deepcopy(linear).double()(x.double()).float())


@torch.no_grad()
def test_rows_of_any_number_after_the_layout_was_made():
    linear = nn.Linear(64, 2000)
    product = LaidOutProduct(linear)
    for rows in (80, 5, 1, 300):
        x = torch.randn(rows, 64)
        torch.testing.assert_close(product(x), linear(x))


@torch.no_grad()
def test_weights_are_laid_out_once():
    product = LaidOutProduct(nn.Linear(64, 2000))
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        for _ in range(3):
            product(torch.randn(80, 64))
    calls = {of.key.partition("::")[2]: of.count for of in seen.key_averages()}
    assert (calls["_reorder_linear_weight"], calls["_linear_pointwise"]) == (1, 3)


@torch.no_grad()
def test_weights_that_were_loaded_later_are_read():
    linear, other = nn.Linear(64, 2000), nn.Linear(64, 2000)
    product, x = LaidOutProduct(linear), torch.randn(4, 64)
    product(x)
    product.load_state_dict(other.state_dict())
    torch.testing.assert_close(product(x), other(x))


@torch.no_grad()
def test_weights_that_were_replaced_are_not_read():
    product, x = LaidOutProduct(nn.Linear(64, 2000)), torch.randn(4, 64)
    product(x)
    other = nn.Linear(64, 2000).weight
    assert other._version == product.weight._version
    product.weight = other
    torch.testing.assert_close(product(x), nn.functional.linear(x, other, product.bias))


@pytest.mark.parametrize("again", [deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
@torch.no_grad()
def test_it_is_copied_and_saved_like_any_module(again):
    product, x = LaidOutProduct(nn.Linear(64, 2000)), torch.randn(5, 64)
    expected = product(x)
    torch.testing.assert_close(again(product)(x), expected)


@pytest.mark.parametrize("made", [lambda p, x: torch.jit.trace(p, x), lambda p, _: compiled(p)])
@torch.no_grad()
def test_traced_and_compiled(made):
    product, x = LaidOutProduct(nn.Linear(64, 2000)), torch.randn(5, 64)
    torch.testing.assert_close(made(product, x)(x), product(x))


def compiled(module: nn.Module) -> nn.Module:
    """In one piece, and without a compiler of C++."""
    return torch.compile(module, fullgraph=True, backend="aot_eager")


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
@torch.no_grad()
def test_weights_of_other_precisions(kind):
    linear, x = nn.Linear(64, 2000).to(kind), torch.randn(4, 64, dtype=kind)
    torch.testing.assert_close(LaidOutProduct(linear)(x), linear(x))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
@torch.no_grad()
def test_autocast_for_a_while(kind, bias):
    linear, x = nn.Linear(64, 2000, bias=bias), torch.randn(4, 64)
    product = LaidOutProduct(linear)
    for enabled in (False, True, False):
        with torch.autocast("cpu", kind, enabled=enabled):
            torch.testing.assert_close(product(x), linear(x))
            assert product(x).dtype is (kind if enabled else torch.float32)


@torch.no_grad()
def test_precisions_that_do_not_fit_are_refused_as_by_torch():
    product = LaidOutProduct(nn.Linear(64, 2000).bfloat16())
    with pytest.raises(RuntimeError, match="dtype"):
        product(torch.randn(4, 64))


@torch.no_grad()
def test_autocast_leaves_float64_alone():
    linear, x = nn.Linear(64, 2000).double(), torch.randn(4, 64).double()
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(LaidOutProduct(linear)(x), linear(x))


def test_gradients_are_left_to_torch():
    linear, x = nn.Linear(64, 2000), torch.randn(4, 64, requires_grad=True)
    LaidOutProduct(linear)(x).sum().backward()
    torch.testing.assert_close(x.grad, linear.weight.sum(0).expand(4, -1))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_fast_model_translates_as_before(variant):
    model, source = build(variant, dictionary=MANY).float(), batch(11, 3, 8)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    sample = {"net_input": {"src_tokens": source, "src_lengths": source.ne(1).sum(1)}}
    generator = SequenceGenerator([model], MANY, beam_size=3, max_len_b=12)
    expected, names = generator.generate([model], sample), list(model.state_dict())
    model.make_generation_fast_()
    assert type(model.decoder.output_projection) is LaidOutProduct
    assert list(model.state_dict()) == names
    for beams, before in zip(generator.generate([model], sample), expected, strict=True):
        for beam, other in zip(beams, before, strict=True):
            assert beam["tokens"].tolist() == other["tokens"].tolist()
            torch.testing.assert_close(beam["positional_scores"], other["positional_scores"])


def test_few_words_are_left_to_torch():
    model = build()
    model.make_generation_fast_()
    assert type(model.decoder.output_projection) is nn.Linear
