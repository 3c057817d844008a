"""Every kind of model gets its gradient from two workers, with fairseq's default backend."""

import copy
from argparse import Namespace

import pytest
import torch
from conftest import VARIANTS, batch, build, toy_task
from fairseq.distributed import utils as distributed_utils
from fairseq.models import ARCH_CONFIG_REGISTRY, DistributedFairseqModel
from omegaconf import OmegaConf
from worker_pairs import call_workers

from fairseq_memtx.compat.data_parallel import weights_may_rest
from fairseq_memtx.criterions.segment_cross_entropy import SegmentCrossEntropy
from fairseq_memtx.models.gmat_roberta import GmatRobertaModel
from fairseq_memtx.models.rmt_flags import RmtLanguageModelConfig
from fairseq_memtx.models.rmt_lm import RmtLanguageModel
from fairseq_memtx.modules.state_holder import StateHolder

DROPPED = {"dropout": 0.3, "attention_dropout": 0.2}
TRANSLATION = [
    {"variant": variant, **DROPPED, **more}
    for variant in VARIANTS
    for more in ({}, {"checkpoint_activations": True})
] + [
    {"encoder_layerdrop": 0.5, "decoder_layerdrop": 0.5},
    {"share_all_embeddings": False, "encoder_normalize_before": True},
]
LANGUAGE_MODELS = [
    {},
    {"memory_recurrence": "none"},
    {"memory_at_start_only": True},
    {"cache_length": 6, "memory_reads_cache": True},
    {"memory_tokens": 0, "cache_length": 6},
    {"checkpoint_segments": True},
    {"checkpoint_activations": True},
    {"adaptive_softmax_cutoff": "8,14"},
    {"adaptive_softmax_cutoff": "8,14", "checkpoint_segments": True, "cache_length": 6},
    {"decoder_layerdrop": 0.5, "decoder_layers": 3},
    {"backbone": "transformer"},
    {"backbone": "transformer", "checkpoint_activations": True},
    {"backbone": "transformer", "adaptive_softmax_cutoff": "8,14", "checkpoint_segments": True},
    {"backbone": "transformer", "adaptive_input": True, "adaptive_input_cutoff": "8,14"},
]
COMPRESSED = {"compress_layers": 1, "memory_layers": 1, "decompress_layers": 1}
LONG_DOCUMENTS = [
    {},
    {"sparse_attention": "window"},
    {"sparse_attention": "lsh"},
    {"sparse_attention": "none"},
    {"sparse_attention": "none", "memory_tokens": 0},
    {"separate_memory_projections": True},
    COMPRESSED,
    {**COMPRESSED, "segments": 3, "checkpoint_activations": True},
    {"segments": 3, "checkpoint_activations": True},
    {"encoder_layerdrop": 0.5},
    {"head": "classification"},
    {"head": "token", "checkpoint_activations": True},
]


class Translation:
    """One step of a model of `mem_transformer`."""

    def __init__(self, variant: str = "tokens", **flags) -> None:
        self.model = build(variant, **flags)

    def loss(self, model, step: int, worker: int) -> torch.Tensor:
        source = batch(7, 5, seed=10 * step + worker)
        logits, _ = model(source, None, source)
        return logits.log_softmax(dim=-1)[..., 5:].square().sum()


class LanguageModel:
    """One window of a text of `rmt_lm`; the state goes on to the next."""

    def __init__(self, **flags) -> None:
        cfg = OmegaConf.structured(RmtLanguageModelConfig)
        small = {
            "decoder_layers": 2, "decoder_embed_dim": 16, "decoder_ffn_embed_dim": 32,
            "decoder_attention_heads": 2, "memory_tokens": 2, "tokens_per_sample": 5,
            "max_target_positions": 5, "decoder_input_dim": 16, "decoder_output_dim": 16,
            "share_decoder_input_output_embed": not flags.get("adaptive_input"), "dropout": 0.2,
        }  # fmt: skip
        cfg = Namespace(**{**OmegaConf.to_container(cfg, resolve=False), **small, **flags})
        cfg.tie_adaptive_weights = cfg.tie_adaptive_proj = False
        torch.manual_seed(1)
        self.model = RmtLanguageModel.build_model(cfg, toy_task()).double().train()
        self.states = {}
        self.criterion = SegmentCrossEntropy(toy_task(), sentence_avg=False)

    def loss(self, model, step: int, worker: int) -> torch.Tensor:
        tokens = batch(10, 10, seed=10 * step + worker)
        if step == 1 and worker == 1:
            tokens = tokens.clamp(max=7)  # without any rare word
        holder = StateHolder(self.states.get(id(model)))
        sample = {"net_input": {"src_tokens": tokens, "holder": holder}, "target": tokens}
        loss, _, _ = self.criterion(model, {**sample, "ntokens": tokens.numel()})
        self.states[id(model)] = holder.state
        return loss


class LongDocument:
    """One step of a model of `gmat_roberta`, for words or with a head."""

    def __init__(self, head: str = "", **flags) -> None:
        args = Namespace(
            encoder_layers=3, encoder_embed_dim=16, encoder_ffn_embed_dim=32,
            encoder_attention_heads=2, max_positions=40, chunk_size=8, window_size=8,
            lsh_buckets=4, dropout=0.2,
            **{"memory_tokens": 3, **flags},
        )  # fmt: skip
        ARCH_CONFIG_REGISTRY["gmat_roberta"](args)
        task = toy_task()
        task.max_positions = lambda: 40
        torch.manual_seed(1)
        self.model = GmatRobertaModel.build_model(args, task).train()
        if head == "classification":
            self.model.register_classification_head("head", 3)
        elif head:
            self.model.register_token_head("head", 3)
        self.model.double()
        self.options = {f"{head}_head_name": "head"} if head else {}

    def loss(self, model, step: int, worker: int) -> torch.Tensor:
        source = batch(30, 20, left=False, seed=10 * step + worker)
        masked = {} if self.options else {"masked_tokens": source.gt(8)}
        return model(source, **self.options, **masked)[0].log_softmax(dim=-1).square().sum()


def difference(kind: type, flags: dict, find_unused: bool) -> float:
    """How far the gradient of both workers is from the mean of theirs, in three steps."""
    case = kind(**flags)
    alone, worker = case.model.train(), torch.distributed.get_rank()
    args = Namespace(
        ddp_backend="pytorch_ddp", find_unused_parameters=find_unused, device_id=0, tpu=False,
        broadcast_buffers=False, bucket_cap_mb=25, gradient_as_bucket_view=False,
        ddp_comm_hook="none",
    )  # fmt: skip
    group = distributed_utils.get_global_group()
    together = DistributedFairseqModel(args, copy.deepcopy(alone), group, torch.device("cpu"))
    furthest = 0.0
    for step in range(3):
        for model in (alone, together):
            model.zero_grad()
            torch.manual_seed(10 * step + worker)
            case.loss(model, step, worker).backward()
        for mine, ours in zip(alone.parameters(), together.parameters()):
            mean = torch.zeros_like(mine) if mine.grad is None else mine.grad / 2
            torch.distributed.all_reduce(mean)
            gradient = torch.zeros_like(mine) if ours.grad is None else ours.grad
            furthest = max(furthest, (gradient - mean).abs().max().item())
    return furthest


def differences(find_unused: bool) -> dict[str, float]:
    """`difference` of every kind."""
    import fairseq_memtx.models  # noqa: F401

    kinds = {Translation: TRANSLATION, LanguageModel: LANGUAGE_MODELS, LongDocument: LONG_DOCUMENTS}
    return {
        f"{kind.__name__} {flags}": difference(kind, flags, find_unused)
        for kind, cases in kinds.items()
        for flags in cases
    }


@pytest.mark.processes
@pytest.mark.parametrize("find_unused", [False, True])
def test_every_kind_gets_the_mean_gradient_of_both_workers(find_unused):
    """Whatever a step recomputes, drops or leaves out; weights that get none have zeros."""
    for found in call_workers(differences, find_unused, timeout=240):
        assert len(found) == len(TRANSLATION) + len(LANGUAGE_MODELS) + len(LONG_DOCUMENTS)
        assert {kind: off for kind, off in found.items() if off > 1e-12} == {}


def test_unused_weights_are_looked_for_where_there_may_be_some():
    assert not weights_may_rest(build("controller"))
    assert weights_may_rest(build(encoder_layerdrop=0.1))
    assert not weights_may_rest(LongDocument().model)
    assert weights_may_rest(LongDocument(head="token").model)
    assert weights_may_rest(LongDocument(head="classification").model)
    assert not weights_may_rest(LanguageModel().model)
