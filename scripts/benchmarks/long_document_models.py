"""The encoders that the benchmark of long documents compares, built alike."""

from argparse import Namespace
from dataclasses import dataclass
from typing import Callable

import torch
from fairseq.models import ARCH_MODEL_REGISTRY
from torch import Tensor, nn

from fairseq_memtx.errors import MemtxError

from .turns import SEED, dictionary

OURS, DENSE = "gmat_roberta", "roberta"
LONGFORMER, BIGBIRD, MODERNBERT = "longformer", "bigbird", "modernbert"
MODELS = (OURS, DENSE, LONGFORMER, BIGBIRD, MODERNBERT)
# For those who ask; ours is asked for by what it has.
WINDOW, FLEX, FLEX_WINDOW = f"{OURS}, window", f"{OURS}, flex", f"{OURS}, window, flex"


@dataclass(frozen=True)
class Sizes:
    """What is measured, the same for all models."""

    lengths: tuple[int, ...] = (1024, 2048, 4096, 8192, 16384)
    dropouts: tuple[float, ...] = (0.0, 0.1)
    longest: int = 65536
    vocabulary: int = 1000
    layers: int = 2
    channels: int = 256
    ffn_channels: int = 1024
    heads: int = 4
    chunk: int = 512
    memory_tokens: int = 64
    block: int = 64


def build(name: str, sizes: Sizes, length: int, dropout: float) -> Callable[[Tensor], Tensor]:
    """A model as a module from tokens, ``1 x L``, to features, ``1 x L x C``.

    ModernBERT has a gate in its feed-forward layers, and so as many weights as the others with two
    thirds of their channels; its layers see 128 tokens around, each third of them everything.
    """
    torch.manual_seed(SEED)
    family, *has = name.split(", ")
    if family in (OURS, DENSE):
        args = Namespace(
            encoder_layers=sizes.layers, encoder_embed_dim=sizes.channels,
            encoder_ffn_embed_dim=sizes.ffn_channels, encoder_attention_heads=sizes.heads,
            dropout=dropout, attention_dropout=dropout, max_positions=length,
            memory_tokens=sizes.memory_tokens, chunk_size=sizes.chunk,
            sparse_attention="window" if "window" in has else "chunked", window_size=sizes.chunk,
            attention_kernel="flex" if "flex" in has else "groups",
        )  # fmt: skip
        task = Namespace(source_dictionary=dictionary(sizes.vocabulary), cfg=Namespace(data=None))
        return Features(ARCH_MODEL_REGISTRY[family].build_model(args, task))
    try:
        import transformers
    except ImportError as cause:
        raise MemtxError(
            f"{name} needs Hugging Face's package: pip install transformers, or leave it out with "
            f"--models {OURS} {DENSE}"
        ) from cause
    transformers.logging.set_verbosity_error()
    shape = {
        "vocab_size": sizes.vocabulary,
        "hidden_size": sizes.channels,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "max_position_embeddings": length + 2,
        "pad_token_id": 1,
    }
    if name == MODERNBERT:
        config = transformers.ModernBertConfig(
            intermediate_size=sizes.ffn_channels * 2 // 3, attention_dropout=dropout,
            embedding_dropout=dropout, mlp_dropout=dropout, bos_token_id=0, eos_token_id=2,
            cls_token_id=0, sep_token_id=2, **shape,
        )  # fmt: skip
        return HuggingFace(transformers.ModernBertModel(config))
    shape |= {
        "intermediate_size": sizes.ffn_channels,
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
    }
    if name == LONGFORMER:
        config = transformers.LongformerConfig(attention_window=sizes.chunk, **shape)
        model = transformers.LongformerModel(config, add_pooling_layer=False)
        return HuggingFace(model, global_tokens=sizes.memory_tokens)
    config = transformers.BigBirdConfig(
        attention_type="block_sparse", block_size=sizes.block, num_random_blocks=3, **shape
    )
    return HuggingFace(transformers.BigBirdModel(config, add_pooling_layer=False))


class Features(nn.Module):
    """A model of fairseq without its head."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.encoder.sentence_encoder

    def forward(self, tokens: Tensor) -> Tensor:
        """``1 x L -> L x 1 x C``."""
        return self.model(tokens)["encoder_out"][0]


class HuggingFace(nn.Module):
    """A model of ``transformers``, the first tokens of which may be global."""

    def __init__(self, model: nn.Module, global_tokens: int = 0) -> None:
        super().__init__()
        self.model, self.global_tokens = model, global_tokens

    def forward(self, tokens: Tensor) -> Tensor:
        """``1 x L -> 1 x L x C``."""
        options = {}
        if self.global_tokens:
            mask = torch.zeros_like(tokens)
            mask[:, : self.global_tokens] = 1
            options["global_attention_mask"] = mask
        return self.model(tokens, attention_mask=torch.ones_like(tokens), **options)[0]
