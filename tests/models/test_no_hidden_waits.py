"""No hidden waits for a GPU, shown without one: everything runs on torch's ``meta`` device.

Its tensors have shapes and no values. A tensor that was left on the CPU does not fit to them, and
whoever looks at a value gets an error. fairseq's encoder and decoder look whether there is padding,
which is told here what it wants to know, by its place in fairseq; for all others it is an error.
"""

import sys
from argparse import Namespace

import pytest
import torch
from conftest import VARIANTS, batch, toy_task, words
from fairseq.models import ARCH_CONFIG_REGISTRY
from fairseq.models.roberta import model as roberta
from fairseq.models.transformer import TransformerDecoderBase, TransformerEncoderBase
from test_gmat_roberta import COMPRESSED, tokens
from test_gmat_roberta import build as build_gmat
from torch import Tensor, nn

from fairseq_memtx.criterions.extractive_qa import ExtractiveQaCriterion
from fairseq_memtx.criterions.fused_label_smoothed_cross_entropy import (
    FusedLabelSmoothedCrossEntropy,
)
from fairseq_memtx.criterions.sequence_tagging import SequenceTaggingCriterion
from fairseq_memtx.models import gmat_roberta
from fairseq_memtx.models.gmat_roberta import GmatRobertaModel
from fairseq_memtx.models.mem_transformer import MemoryTransformerModel

FAIRSEQS_LOOKS = {
    TransformerEncoderBase.forward_scriptable.__code__,
    TransformerDecoderBase.extract_features_scriptable.__code__,
}
DROPOUT = {"dropout": 0.1, "attention_dropout": 0.1, "activation_dropout": 0.1}


@pytest.fixture(autouse=True)
def padded(monkeypatch, request) -> None:
    """What fairseq finds where it looks; padding, if a test does not say."""
    found = getattr(request, "param", True)
    look = Tensor.__bool__

    def looks(tensor: Tensor) -> bool:
        if tensor.is_meta and sys._getframe(1).f_code in FAIRSEQS_LOOKS:
            return found
        return look(tensor)

    monkeypatch.setattr(Tensor, "__bool__", looks)
    for module in (gmat_roberta, roberta):  # it draws weights on the CPU
        monkeypatch.setattr(module, "init_bert_params", lambda module: None)


BOTH = pytest.mark.parametrize("padded", [True, False], indirect=True)


def test_looks_and_strays_are_errors():
    x = torch.ones(3, device="meta")
    for look in (lambda: bool(x.any()), lambda: x[0].item(), lambda: x[x > 0], lambda: x.tolist()):
        with pytest.raises((RuntimeError, NotImplementedError)):
            look()
    with pytest.raises(RuntimeError):
        x + torch.ones(3)


@pytest.fixture(params=[True, False], ids=["training", "evaluation"])
def training(request) -> bool:
    return request.param


def on_meta(kind: type, arch: str, **flags) -> nn.Module:
    """A model of an architecture, without the time that it takes to draw its weights."""
    args = Namespace(**{"max_positions": 40, **DROPOUT, **flags} if "gmat" in arch else flags)
    ARCH_CONFIG_REGISTRY[arch](args)
    with torch.device("meta"):
        return kind.build_model(args, toy_task()).to("meta")


def translate(model: nn.Module) -> None:
    source, target = batch(7, 5).to("meta"), batch(6, 4, left=False).to("meta")
    logits, extra = model(source, None, target)
    assert logits.is_meta
    assert all(attn is None or attn.is_meta for attn in extra["attn"])
    logits.sum().backward()
    assert all(p.grad is not None and p.grad.is_meta for p in model.parameters())


TRANSLATION = [name for name in ARCH_CONFIG_REGISTRY if name.startswith("mem_")]
GMAT = [name for name in ARCH_CONFIG_REGISTRY if name.startswith("gmat_")]


@pytest.mark.parametrize("arch", TRANSLATION)
def test_memory_transformer(arch):
    translate(on_meta(MemoryTransformerModel, arch).train())


@BOTH
@pytest.mark.parametrize("flags", [{}, {"encoder_normalize_before": True}, {"memory_tokens": 0}])
@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_of_the_memory_transformer(variant, flags, training):
    if flags.get("memory_tokens") == 0 and variant != "tokens":
        pytest.skip("no such model")
    flags = {"memory_variant": variant, **DROPOUT, **flags}
    translate(on_meta(MemoryTransformerModel, "mem_transformer_tiny", **flags).train(training))


def read(model: nn.Module, length: int = 25, **options) -> None:
    scores, _ = model(tokens(length, 14).to("meta"), **options)
    assert scores.is_meta
    scores.sum().backward()


@pytest.mark.parametrize("arch", GMAT)
def test_gmat(arch):
    model = on_meta(GmatRobertaModel, arch).train()
    read(model)
    assert all(p.grad is not None and p.grad.is_meta for p in model.parameters())


@BOTH
@pytest.mark.parametrize("scheme", ["chunked", "window", "lsh", "none"])
@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"memory_tokens": 0},
        {"separate_memory_projections": True},
        {"segments": 3, "max_positions": 25},
        COMPRESSED,
        {"checkpoint_activations": True},
    ],
    ids=str,
)
def test_schemes_of_gmat(scheme, flags, training):
    read(build_gmat(sparse_attention=scheme, **DROPOUT, **flags).to("meta").train(training))


def test_heads_and_memory_of_gmat(training):
    model = build_gmat(**DROPOUT)
    model.register_classification_head("classes", 3)
    model.register_token_head("tags", 5)
    model.to("meta").train(training)
    for options in (
        {"features_only": True},
        {"features_only": True, "classification_head_name": "classes"},
        {"token_head_name": "tags"},
        {"return_all_hiddens": True},
    ):
        read(model, **options)
    assert model.extract_memory(tokens(9).to("meta")).is_meta


def sample(target: Tensor, **more) -> dict:
    return {"target": target.to("meta"), "ntokens": 9, "nsentences": 2, **more}


def test_loss_of_translation(training):
    task = Namespace(target_dictionary=words())
    criterion = FusedLabelSmoothedCrossEntropy(task, sentence_avg=False, label_smoothing=0.1)
    model = on_meta(MemoryTransformerModel, "mem_transformer_tiny").train(training)
    target = batch(6, 4, left=False)
    given = {"src_tokens": batch(7, 5), "src_lengths": None, "prev_output_tokens": target}
    given = {name: x if x is None else x.to("meta") for name, x in given.items()}
    loss, _, log = criterion(model, sample(target, net_input=given))
    loss.backward()
    assert log["loss"].is_meta


@pytest.mark.parametrize("kind", [SequenceTaggingCriterion, ExtractiveQaCriterion])
def test_losses_of_long_documents(kind, training):
    task = Namespace(token_head_name="tags", target_dictionary=words())
    model = build_gmat(**DROPOUT)
    model.register_token_head("tags", 2)
    model.to("meta").train(training)
    source = tokens(12, 9).to("meta")
    choices = {
        "allowed": torch.ones_like(source, dtype=torch.bool),
        "starts": source[:, 0],
        "ends": source[:, 1],
    }
    net_input = {"src_tokens": source, "src_lengths": None}
    loss, _, log = kind(task)(model, sample(source, net_input=net_input, **choices))
    loss.backward()
    assert log["loss"].is_meta
